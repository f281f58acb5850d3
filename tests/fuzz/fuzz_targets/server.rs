#![no_main]
realm_fuzz::target!("server");
