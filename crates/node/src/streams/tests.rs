use super::*;

fn part(number: u64, offset: u64, text: &str) -> StreamItem {
    StreamItem {
        run: RunId::at(realm_protocol::Timestamp::default(), [1; 10]),
        number,
        offset,
        text: text.to_owned(),
    }
}

#[test]
fn a_caller_leaves_out_what_it_has_and_what_it_lacks_the_start_of() {
    let mut shown = Shown::default();
    assert_eq!(shown.take(&part(7, 0, "Hel")), Some((0, "Hel")));

    assert_eq!(shown.take(&part(7, 0, "Hello")), Some((3, "lo")));
    assert_eq!(shown.take(&part(7, 9, "!")), None);
    assert_eq!(shown.take(&part(7, 5, "")), None);
}

#[test]
fn a_greater_number_begins_anew_and_a_smaller_one_is_of_the_past() {
    let mut shown = Shown::default();
    shown.take(&part(7, 0, "first"));

    assert_eq!(shown.take(&part(8, 3, "lacks its start")), None);
    assert_eq!(shown.take(&part(8, 0, "second")), Some((0, "second")));
    assert_eq!(shown.take(&part(7, 5, " more")), None);
}

#[test]
fn a_part_that_begins_inside_a_character_or_tells_too_much_is_not_heeded() {
    let mut shown = Shown::default();
    shown.take(&part(1, 0, "a"));

    assert_eq!(shown.take(&part(1, 0, "é")), None);
    let long = "x".repeat(limits::STREAM_BYTES);
    assert_eq!(shown.take(&part(1, 1, &long)), None);
    assert_eq!(shown.take(&part(1, u64::MAX, "x")), None);
}

#[test]
fn a_stream_holds_a_bounded_start_of_its_text_in_whole_characters() {
    let mut stream = Stream::default();
    let almost = "x".repeat(limits::STREAM_BYTES - 1);

    stream.add(1, &almost);
    stream.add(1, "é");
    assert_eq!(stream.text, almost);

    stream.add(2, "anew");
    stream.add(1, "late");
    assert_eq!((stream.number, stream.text.as_str()), (2, "anew"));
}
