//! Who uses a realm, and signing in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Time;

/// What says who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PersonSource {
    /// The realm's configuration.
    Config,
    /// Its LDAP directory, or Active Directory.
    Ldap,
    /// Its OpenID Connect provider.
    Oidc,
}

/// Somebody who uses the realm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonView {
    /// What they are called here, in traces, policies and the audit log.
    pub name: String,
    /// What says who they are.
    pub source: PersonSource,
    /// What they may do: viewer, operator, approver, owner.
    pub roles: Vec<String>,
    /// The user of the machine that they are at the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Whether they have a token of their own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub token: bool,
    /// Those of their groups that the realm gives roles for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// When these were last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Time>,
    /// How often they have signed in, where that is still good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_ins: Option<u64>,
    /// When the last of these ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// What the realms of another root call somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PseudonymView {
    /// What they call them.
    pub pseudonym: String,
    /// What they are called here.
    pub name: String,
    /// The root.
    pub realm: String,
}

/// Somebody who would sign in with a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignInRequest {
    /// Their name in the directory.
    pub name: String,
    /// Their password there.
    pub password: String,
}

impl std::fmt::Debug for SignInRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignInRequest")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A sign-in at the provider that has begun: somebody enters a code at its page.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceSignIn {
    /// What is asked by what has become of it; whoever has this signs in.
    pub device: String,
    /// What is entered.
    pub code: String,
    /// Where.
    pub url: String,
    /// Where it is entered already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// When to ask what has become of it, in milliseconds.
    pub again_in_ms: u64,
    /// Until when it can be entered.
    pub until: Time,
}

impl std::fmt::Debug for DeviceSignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceSignIn")
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// Asks what has become of a sign-in at the provider.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceQuestion {
    /// What its beginning gave.
    pub device: String,
}

impl std::fmt::Debug for DeviceQuestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceQuestion").finish_non_exhaustive()
    }
}

/// What has become of a sign-in at the provider: one of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceAnswer {
    /// It is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<SignedIn>,
    /// Nobody has entered the code yet: when to ask again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_in_ms: Option<u64>,
}

/// A sign-in that is good.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    /// What is shown from now on: `Authorization: Bearer TOKEN`.
    pub token: String,
    /// Who has signed in.
    pub name: String,
    /// What they may do.
    pub roles: Vec<String>,
    /// Until when the token is good.
    pub until: Time,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A sign-in that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedOut {
    /// Whether there was one.
    pub ended: bool,
}
