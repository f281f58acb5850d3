//! Whether policy lets a loop use what its definition names: agents, tools, hosts, other loops of this realm.

use realm_executor::{ApprovalRule, BackendError, BackendRequest, LoopError, StepAsked};
use realm_policy::{Action, Principal, Request, Resource, Step, Used};
use realm_protocol::{FailureCode, LoopId};
use url::Url;

use crate::{Node, approvals::demanded};

impl Node {
    /// Asks policy for what a loop wants of a backend, and for the secrets that it is given there.
    pub(crate) fn permit_use(
        &mut self,
        id: &LoopId,
        request: &BackendRequest,
    ) -> Result<(), BackendError> {
        for secret in request.secrets() {
            self.config.secrets.check(secret, id)?;
            self.permit_used(id, Used::Tool, &format!("secret:{secret}"))?;
        }
        match used(request)? {
            Some((kind, name)) => self.permit_used(id, kind, &name),
            None => Ok(()),
        }
    }

    fn permit_used(&mut self, id: &LoopId, kind: Used, name: &str) -> Result<(), BackendError> {
        let (owner, now) = (self.me.scope(), self.now.wall);
        let question = Request::new(
            Action::Use,
            Principal::Loop { owner: &owner, id },
            Resource::Used {
                owner: &owner,
                kind,
                name,
            },
            now,
        );
        let Err(denial) = self.rules.decide_request(&question) else {
            return Ok(());
        };
        Err(BackendError::Denied {
            what: format!("{}={name}", kind.name()),
            reference: self.denied(denial),
        })
    }

    /// Says whether a run may call another loop of this realm.
    pub(crate) fn decide_step(&mut self, asked: &StepAsked) {
        let of = (asked.run, asked.call);
        match self.permit_step(asked) {
            Ok(rules) => self
                .executor
                .permit_step(of, rules, &self.registry, self.now),
            Err(error) => self
                .executor
                .refuse_step(of, error, &self.registry, self.now),
        }
    }

    /// Asks policy for whoever the run is for: a person or an agent of this realm, or a realm. Gives who has to approve the call.
    fn permit_step(&mut self, asked: &StepAsked) -> Result<Vec<ApprovalRule>, LoopError> {
        let (me, now) = (self.me.scope(), self.now.wall);
        let served = self.serving.get(asked.run);
        let caller = served.map_or(&me, |served| &served.caller);
        let principal = match served.and_then(|served| served.asker.as_ref()) {
            Some(asker) => asker.as_principal(&me),
            None => Principal::Realm(caller),
        };
        let resource = Resource::Loop {
            owner: &me,
            id: &asked.loop_id,
        };
        let question = Request {
            step: Some(Step {
                by: &asked.by,
                tool: asked.tool,
            }),
            ..Request::new(Action::Step, principal, resource, now)
        };
        let denial = match self.rules.decide_request(&question) {
            Ok(permit) => return Ok(permit.approvals().iter().map(demanded).collect()),
            Err(denial) => denial,
        };
        let (by, called, reference) = (&asked.by, &asked.loop_id, self.denied(denial));
        let message = format!(
            "policy does not let `{by}` call `{called}` in this run; reference {reference}"
        );
        Err(LoopError::new(FailureCode::Denied, message))
    }
}

/// What is used, by the name that policies know it by; nothing where it is only this process.
fn used(request: &BackendRequest) -> Result<Option<(Used, String)>, BackendError> {
    if request.is_pure() {
        return Ok(None);
    }
    let used = match request {
        BackendRequest::Echo { .. } | BackendRequest::Count { .. } => return Ok(None),
        BackendRequest::Model(model) => (Used::Tool, format!("model:{}", model.backend)),
        BackendRequest::Process { argv, .. } | BackendRequest::Command { argv, .. } => {
            (Used::Tool, format!("process:{}", program(argv)))
        }
        BackendRequest::Container(asked) => (
            Used::Tool,
            format!("container:{}", asked.container.image.as_str()),
        ),
        BackendRequest::Mcp { server, tool, .. } => (Used::Tool, format!("mcp:{server}/{tool}")),
        BackendRequest::Attached(asked) => (Used::Agent, asked.agent.to_string()),
        BackendRequest::Http { url, .. } => {
            let reason = "policy cannot tell the host of this URL";
            let host = host(url).ok_or(BackendError::Refused { reason })?;
            (Used::Host, host)
        }
    };
    Ok(Some(used))
}

/// The host of a URL as it will be asked for, in the one form that it has: lower case, without a port or a last dot,
/// names of other alphabets in ASCII, addresses as numbers. None where something in the URL hides it.
fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let tricks = |c: char| matches!(c, '@' | '\\' | '%') || c.is_whitespace() || c.is_control();
    if authority.is_empty() || authority.contains(tricks) {
        return None;
    }
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    let host = host.strip_suffix('.').unwrap_or(host);
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// A program's path, in the one form that it has; names that are looked up stay as they are.
fn program(argv: &[String]) -> String {
    let written = argv.first().map_or("", String::as_str);
    if !written.contains('/') {
        return written.to_owned();
    }
    let parts = written.split('/').filter(|part| !matches!(*part, "" | "."));
    let parts = parts.collect::<Vec<_>>().join("/");
    match written.starts_with('/') {
        true => format!("/{parts}"),
        false => format!("./{parts}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{host, program};

    #[test]
    fn a_host_is_told_where_nothing_in_the_url_hides_it() {
        for (url, told) in [
            ("http://127.0.0.1:8080/greet", Some("127.0.0.1")),
            ("https://API.example.org", Some("api.example.org")),
            (
                "https://api.example.org?at=evil.example",
                Some("api.example.org"),
            ),
            ("http://[::1]:80/", Some("[::1]")),
            ("http://good.example@evil.example/", None),
            ("http://good.example\\@evil.example/", None),
            ("http://evil.example%2f.good.example/", None),
            ("http://evil\t.example/", None),
            ("http://good.example:80:90/", None),
            ("https://evil.example.:443/", Some("evil.example")),
            ("http://0x8.8.2056/", Some("8.8.8.8")),
            ("http://134744072/", Some("8.8.8.8")),
            ("http://[0:0::1]/", Some("[::1]")),
            ("https://Bücher.example/", Some("xn--bcher-kva.example")),
            ("https://ｅvil.example/", Some("evil.example")),
            ("http:///x", None),
            ("mailto:ann", None),
        ] {
            assert_eq!(host(url).as_deref(), told, "{url}");
        }
    }

    #[test]
    fn a_program_has_one_name_however_its_path_is_written() {
        for (written, told) in [
            ("python3", "python3"),
            ("/usr/bin/python3", "/usr/bin/python3"),
            ("//usr/./bin//python3", "/usr/bin/python3"),
            ("./run.sh", "./run.sh"),
            ("tools/../run.sh", "./tools/../run.sh"),
        ] {
            assert_eq!(program(&[written.to_owned()]), told, "{written}");
        }
    }
}
