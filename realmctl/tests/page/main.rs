//! The exported page as people meet it: in Chromium, driven from outside.
//!
//! Without Chromium the test is skipped, and says so.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod browser;
mod sample;

use browser::Browser;
use serde_json::{Value, json};

/// Frames of the sample.
const FRAMES: usize = 10_000;
/// Rows that a window may hold, with those just out of sight.
const ROWS: u64 = 100;

#[test]
fn ten_thousand_frames_are_searched_filtered_and_walked_without_an_error_or_a_request() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.html");
    std::fs::write(
        &file,
        realmctl::export::html(&sample::tree(FRAMES)).unwrap(),
    )
    .unwrap();
    browser.open(&format!("file://{}", file.display()));

    assert_eq!(browser.text("#count"), "10,000 frames");
    assert!((20..ROWS).contains(&rows(&mut browser)));

    // The search finds one frame, and leaves only its callers beside it.
    browser.type_into("#search", "needle-7777");
    assert_eq!(browser.text("#count"), "1 of 10,000 frames");
    let names =
        browser.ask("[...document.querySelectorAll('.row .loop')].map((it) => it.textContent)");
    assert_eq!(names, json!(["survey", "batch[77]", "needle-7777[77]"]));
    assert_eq!(browser.text("#detail h2"), "needle-7777[77]");
    assert!(
        browser
            .text("#detail")
            .contains("</script><script>stolen = 1")
    );

    // Payloads are searched too; the filter hides all that did not fail, but callers of what did.
    browser.type_into("#search", "");
    browser.ask("document.querySelector('#status').value = 'failed'");
    browser.ask("document.querySelector('#status').dispatchEvent(new Event('input'))");
    assert_eq!(browser.text("#count"), "100 of 10,000 frames");
    let marks = "[...document.querySelectorAll('.row:not(.context) .mark')].map((it) => it.title)";
    let marks = browser.ask(marks);
    let marks = marks.as_array().unwrap();
    assert!(!marks.is_empty() && marks.iter().all(|mark| *mark == "failed"));
    browser.ask("document.querySelector('#status').value = ''");
    browser.type_into("#search", "reading of patient 4242");
    assert_eq!(browser.text("#count"), "1 of 10,000 frames");
    browser.type_into("#search", "");

    // From the first frame to the last by keyboard; what is out of sight is not in the document.
    browser.ask("document.querySelector('#list').focus()");
    browser.press("Home");
    browser.press("ArrowDown");
    assert_eq!(chosen(&mut browser), "frame-1");
    let wide = "document.querySelector('#frame-1 .bar').style.width";
    assert_ne!(browser.ask(wide), "100%");
    browser.press("z");
    assert_eq!(
        browser.ask(wide),
        "100%",
        "the lanes show the chosen frame's time"
    );
    browser.press("ArrowLeft");
    let folded = "document.querySelector('#frame-1').getAttribute('aria-expanded')";
    assert_eq!(browser.ask(folded), "false");
    browser.press("ArrowRight");
    browser.press("End");
    assert_eq!(chosen(&mut browser), format!("frame-{}", FRAMES - 1));
    assert!(rows(&mut browser) < ROWS);

    assert_eq!(browser.ask("typeof stolen"), "undefined");
    assert_eq!(browser.complaints(), &[] as &[Value]);
    assert_eq!(browser.requests(), [format!("file://{}", file.display())]);
}

fn rows(browser: &mut Browser) -> u64 {
    let rows = browser.ask("document.querySelectorAll('.row').length");
    rows.as_u64().unwrap()
}

fn chosen(browser: &mut Browser) -> String {
    let chosen = "document.querySelector('#list').getAttribute('aria-activedescendant')";
    browser.ask(chosen).as_str().unwrap_or_default().to_owned()
}
