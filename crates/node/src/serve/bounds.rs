//! What calls may use, by who says so.

use realm_executor::{ApprovalRule, Bounder, Given};
use realm_protocol::{budget::Budget, records::Role};

use crate::{Node, approvals::demanded};

impl Node {
    /// What a call of this machine's may use: as it says, or as the configuration does where it does not.
    pub(crate) fn asker_budget(&self, asked: Budget) -> Given {
        match asked.is_unbounded() {
            true => Given {
                budget: self.config.budgets.run,
                by: Bounder::Configuration,
            },
            false => Given {
                budget: asked,
                by: Bounder::Asker,
            },
        }
    }

    /// Whom every run here asks before it uses more than the configuration says.
    pub(super) fn asks_above(&self) -> Option<ApprovalRule> {
        let above = self.config.budgets.ask;
        (!above.is_unbounded()).then(|| ApprovalRule {
            above: Some(above),
            ..demanded(&Role::Approver)
        })
    }

    /// What a call of another realm may use: what its caller gave, what its grant gives, and what this
    /// realm lets any have.
    pub(super) fn caller_budgets(
        &self,
        given: Option<Budget>,
        granted: Option<Budget>,
    ) -> Vec<Given> {
        let own = Given {
            budget: self.config.budgets.served,
            by: Bounder::Owner,
        };
        let given = given.map(|budget| Given {
            budget,
            by: Bounder::Caller,
        });
        let granted = granted.map(|budget| Given {
            budget,
            by: Bounder::Grant,
        });
        given.into_iter().chain(granted).chain([own]).collect()
    }
}
