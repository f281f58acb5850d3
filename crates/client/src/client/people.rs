//! Who uses the realm, and signing in.

use super::{Client, ClientError};
use crate::api::{
    DeviceAnswer, DeviceQuestion, DeviceSignIn, EraseRequest, Page, PersonView, PseudonymView,
    SignInRequest, SignedIn, SignedOut, routes,
};

impl Client {
    /// Signs somebody in whom the directory knows.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn sign_in(&self, request: &SignInRequest) -> Result<SignedIn, ClientError> {
        self.post(routes::SIGN_IN, request).await
    }

    /// Begins a sign-in at the provider.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn begin_sign_in(&self) -> Result<DeviceSignIn, ClientError> {
        self.post(routes::SIGN_IN_DEVICE, &()).await
    }

    /// Asks what has become of one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn ask_sign_in(
        &self,
        question: &DeviceQuestion,
    ) -> Result<DeviceAnswer, ClientError> {
        self.post(routes::SIGN_IN_DEVICE_ASK, question).await
    }

    /// Ends the sign-in that this client shows.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn sign_out(&self) -> Result<SignedOut, ClientError> {
        self.delete(routes::SIGN_IN).await
    }

    /// Whoever uses the realm.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn people(&self) -> Result<Page<PersonView>, ClientError> {
        self.get(routes::PEOPLE).await
    }

    /// Somebody, by name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn person(&self, name: &str) -> Result<PersonView, ClientError> {
        self.get(&routes::fill(routes::PERSON, &[name])).await
    }

    /// What other roots call somebody, by their name here or by what one of them calls them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn pseudonyms(&self, name: &str) -> Result<Page<PseudonymView>, ClientError> {
        self.get(&routes::fill(routes::PSEUDONYM, &[name])).await
    }

    /// Takes away what leads from pseudonyms to somebody; gives them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn erase_pseudonyms(
        &self,
        name: &str,
        request: &EraseRequest,
    ) -> Result<Page<PseudonymView>, ClientError> {
        self.post(&routes::fill(routes::PSEUDONYM_ERASE, &[name]), request)
            .await
    }
}
