//! What `doctor` finds.

use realm_client::api::{Check, Doctor, Finding};

use crate::output::{Block, Show};

impl Show for Doctor {
    fn names(&self) -> Vec<String> {
        let checks = self.groups.iter().flat_map(|group| &group.checks);
        let found = checks.filter(|check| matches!(check.status, Finding::Warn | Finding::Fail));
        found.map(|check| check.code.clone()).collect()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let group = |group: &realm_client::api::CheckGroup| {
            let checks = group.checks.iter().map(|check| line(check, wide));
            Block::Text(format!("{}\n{}", group.name, checks.collect::<String>()))
        };
        self.groups.iter().map(group).collect()
    }
}

fn line(check: &Check, wide: bool) -> String {
    let mark = match check.status {
        Finding::Ok => "ok  ",
        Finding::Warn => "warn",
        Finding::Fail => "FAIL",
        Finding::Skip => "skip",
    };
    let code = if wide {
        format!(" [{}]", check.code)
    } else {
        String::new()
    };
    let fix = check
        .fix
        .as_ref()
        .map(|fix| format!("        help: {fix}\n"))
        .unwrap_or_default();
    format!("  {mark}  {}{code}: {}\n{fix}", check.title, check.evidence)
}
