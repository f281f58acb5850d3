//! Links over loopback, honest and hostile, through the public API, over every transport.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod links {
    pub(crate) mod admission;
    pub(crate) mod dials;
    pub(crate) mod frames;
    pub(crate) mod hostile;
    pub(crate) mod load;
    pub(crate) mod node;
    pub(crate) mod raw;
}

/// Runs each story over TCP and over QUIC.
macro_rules! over_both {
    ($($subject:ident { $($story:ident)* })*) => {
        mod over_tcp {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::links::$subject::$story(super::links::node::Way::Tcp).await;
            })*)*
        }
        mod over_quic {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::links::$subject::$story(super::links::node::Way::Quic).await;
            })*)*
        }
    };
}

over_both! {
    dials {
        a_dial_that_meets_another_node_fails_and_names_it
        a_wrong_node_at_one_address_does_not_hide_the_right_one_at_another
        a_dial_says_why_it_failed
        a_silent_listener_times_the_dial_out
        an_address_in_use_is_reported
        an_address_that_others_claim_is_not_dialled_unless_it_is_public
        a_node_listens_on_ipv6_as_on_ipv4
    }
    frames {
        ten_thousand_frames_cross_each_way_in_order
        a_frame_longer_than_a_frame_is_not_taken
        a_peer_that_does_not_read_fills_the_outbox_and_loses_nothing
        a_peer_that_takes_no_bytes_is_cut
        the_byte_bound_of_an_outbox_holds
        closing_delivers_what_was_queued
        closing_does_not_wait_for_a_peer_that_does_not_read
        dropping_the_inbox_closes_the_link
        stopping_delivers_what_was_queued_and_frees_the_port
    }
    admission {
        a_stranger_nobody_admits_is_cut_while_an_admitted_one_stays
        strangers_beyond_the_limit_are_closed_and_known_nodes_are_not
        uncertified_links_are_limited_and_known_ones_do_not_count
        a_node_has_at_most_two_links
        a_process_short_of_memory_takes_no_connection
    }
    hostile {
        an_oversize_declared_frame_closes_its_link_and_no_other
        a_frame_begun_and_not_finished_closes_the_link
        a_second_lane_is_refused
        a_peer_that_opens_many_streams_is_cut
        a_peer_without_lanes_is_cut_and_never_announced
        garbage_in_the_clear_does_no_harm
        a_raw_peer_speaks_the_same_lanes
    }
}

/// Measures, by hand: `cargo test --release -p realm-net --test links -- --ignored --nocapture
/// --test-threads 1`.
mod measured {
    use super::links::{load, node::Way};

    macro_rules! measure {
        ($($name:ident: $load:ident over $way:ident),* $(,)?) => {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "a measurement, for a quiet machine"]
            async fn $name() {
                load::$load(Way::$way).await;
            })*
        };
    }

    measure! {
        frames_over_tcp: frames_through_a_relay over Tcp,
        frames_over_quic: frames_through_a_relay over Quic,
        memory_over_tcp: memory_of_idle_links over Tcp,
        memory_over_quic: memory_of_idle_links over Quic,
    }
}
