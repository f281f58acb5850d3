//! Who may do what.

use super::{Client, ClientError};
use crate::api::{
    AllowRequest, Allowed, Denial, DisallowRequest, Disallowed, Page, PolicyApplied, PolicyApply,
    PolicyCases, PolicyChecked, PolicyExplained, PolicyQuestion, PolicyShadow, PolicyTested,
    PolicyText, PolicyView, routes,
};

impl Client {
    /// The policies.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn policies(&self) -> Result<Page<PolicyView>, ClientError> {
        self.get(routes::POLICIES).await
    }

    /// A denial of this realm, explained.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn denial(&self, reference: &str) -> Result<Denial, ClientError> {
        self.get(&routes::fill(routes::DENIAL, &[reference])).await
    }

    /// Gives a permission.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn allow(&self, request: &AllowRequest) -> Result<Allowed, ClientError> {
        self.post(routes::ALLOW, request).await
    }

    /// Takes permissions back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn disallow(&self, request: &DisallowRequest) -> Result<Disallowed, ClientError> {
        self.post(routes::DISALLOW, request).await
    }

    /// Checks Cedar text.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn check_policy(&self, request: &PolicyText) -> Result<PolicyChecked, ClientError> {
        self.post(routes::POLICY_CHECK, request).await
    }

    /// Takes Cedar text into force.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn apply_policy(&self, request: &PolicyApply) -> Result<PolicyApplied, ClientError> {
        self.post(routes::POLICY_APPLY, request).await
    }

    /// Tells which decisions of the past Cedar text would change.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn shadow(&self, request: &PolicyApply) -> Result<PolicyShadow, ClientError> {
        self.post(routes::POLICY_SHADOW, request).await
    }

    /// Asks the policy a question, and why it answers so.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn why(&self, request: &PolicyQuestion) -> Result<PolicyExplained, ClientError> {
        self.post(routes::POLICY_WHY, request).await
    }

    /// Asks the policy questions with known answers.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn test_policy(&self, request: &PolicyCases) -> Result<PolicyTested, ClientError> {
        self.post(routes::POLICY_TEST, request).await
    }
}
