//! ID tokens that are right but for one thing.

use aws_lc_rs::{
    encoding::AsDer as _,
    hmac,
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::{Fake, START, reason};
use crate::{DirectoryError, Secret, oidc::DeviceAnswer};

/// What signs tokens.
pub(super) struct Signer {
    kid: &'static str,
    key: Key,
}

enum Key {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Hmac(Vec<u8>),
    None,
}

fn text(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// A key that is the same for the same name.
pub(super) fn ed25519(kid: &'static str) -> Signer {
    let mut seed = [7; 32];
    seed[..kid.len()].copy_from_slice(kid.as_bytes());
    let key = Key::Ed(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap());
    Signer { kid, key }
}

fn rsa(kid: &'static str) -> Signer {
    let key = Key::Rsa(RsaKeyPair::generate(rsa::KeySize::Rsa2048).unwrap());
    Signer { kid, key }
}

fn ec(kid: &'static str) -> Signer {
    let key = Key::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());
    Signer { kid, key }
}

impl Signer {
    /// The key as a provider shows it.
    pub(super) fn public(&self) -> Value {
        let kid = self.kid;
        match &self.key {
            Key::Ed(pair) => {
                let x = text(pair.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "x": x})
            }
            Key::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": text(x), "y": text(y)})
            }
            Key::Rsa(pair) => {
                let public = pair.public_key();
                let n = text(public.modulus().big_endian_without_leading_zero());
                let e = text(public.exponent().big_endian_without_leading_zero());
                json!({"kty": "RSA", "kid": kid, "n": n, "e": e})
            }
            Key::Hmac(_) | Key::None => unreachable!("no key to show"),
        }
    }

    fn header(&self) -> Value {
        let alg = match self.key {
            Key::Ed(_) => "EdDSA",
            Key::Ec(_) => "ES256",
            Key::Rsa(_) => "RS256",
            Key::Hmac(_) => "HS256",
            Key::None => "none",
        };
        json!({"alg": alg, "kid": self.kid})
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_under(&self.header(), claims)
    }

    fn token_under(&self, header: &Value, claims: &Value) -> String {
        let said = [header, claims].map(|part| text(part.to_string().as_bytes()));
        let said = said.join(".");
        let bytes = said.as_bytes();
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Ed(pair) => pair.sign(bytes).as_ref().to_vec(),
            Key::Ec(pair) => pair.sign(&random, bytes).unwrap().as_ref().to_vec(),
            Key::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature)
                    .unwrap();
                signature
            }
            Key::Hmac(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, bytes).as_ref().to_vec()
            }
            Key::None => Vec::new(),
        };
        format!("{said}.{}", text(&signature))
    }
}

/// What comes of a sign-in with this token, at a provider that shows these keys.
async fn shown(fake: &Fake, keys: &[&Signer], token: &str) -> Result<DeviceAnswer, DirectoryError> {
    let keys: Vec<Value> = keys.iter().map(|key| key.public()).collect();
    fake.says("/keys", json!({"keys": keys}));
    fake.says(
        "/token",
        json!({"access_token": "a", "refresh_token": "r", "id_token": token}),
    );
    fake.provider().ask(&Secret::new("d"), START).await
}

#[tokio::test]
async fn a_token_that_is_not_signed_by_a_key_of_the_provider_is_not_believed() {
    let fake = Fake::new();
    let claims = fake.claims(START);
    let (ed, ec, rsa) = (ed25519("a"), ec("a"), rsa("a"));
    let signers = [&ed, &ec, &rsa];
    for one in signers {
        let right = shown(&fake, &[one], &one.token(&claims)).await;
        assert!(matches!(right, Ok(DeviceAnswer::SignedIn(..))), "{right:?}");
        // One key of another kind under the same name, and the same one once more under another algorithm's name.
        let others = signers.into_iter().filter(|it| it.header() != one.header());
        let others: Vec<&Signer> = others.collect();
        let unknown = reason(shown(&fake, &others, &one.token(&claims)).await);
        assert!(unknown.contains("a key that it does not show"), "{unknown}");
        for other in others {
            let token = other.token_under(&one.header(), &claims);
            let forged = reason(shown(&fake, &signers, &token).await);
            assert!(forged.contains("not signed by it"), "{forged}");
        }
        // Changed after it was signed.
        let token = one.token(&claims);
        let (said, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = said.split_once('.').unwrap();
        let mut changed = claims.clone();
        changed["realm_access"]["roles"] = json!(["staff"]);
        let changed = text(changed.to_string().as_bytes());
        let forged = reason(shown(&fake, &[one], &format!("{header}.{changed}.{signature}")).await);
        assert!(forged.contains("not signed by it"), "{forged}");
    }
    // Two keys that could be meant by a token without a name are one too many.
    let (one, other) = (ed25519("x"), ed25519("y"));
    let nameless = one.token_under(&json!({"alg": "EdDSA"}), &claims);
    assert!(shown(&fake, &[&one], &nameless).await.is_ok());
    assert!(shown(&fake, &[&one, &other], &nameless).await.is_err());
}

#[tokio::test]
async fn an_algorithm_that_proves_nothing_is_refused_before_any_key_is_looked_at() {
    let fake = Fake::new();
    let claims = fake.claims(START);
    let rsa = rsa("a");
    let public = rsa.public();
    let (n, e) = (public["n"].as_str().unwrap(), public.to_string());
    let Key::Rsa(pair) = &rsa.key else {
        unreachable!("it is one");
    };
    let der = pair.public_key().as_der().unwrap();
    let secrets = [
        der.as_ref(),
        n.as_bytes(),
        e.as_bytes(),
        b"a secret:of ours",
    ];
    let with_secret = secrets.map(|secret| Key::Hmac(secret.to_vec()));
    for key in with_secret.into_iter().chain([Key::None]) {
        let forger = Signer { kid: "a", key };
        let refused = reason(shown(&fake, &[&rsa], &forger.token(&claims)).await);
        let none = refused.contains("cannot be read");
        assert!(none || refused.contains("none of RS256"), "{refused}");
        assert_eq!(fake.asked("/keys").len(), 0);
    }
    for header in [
        json!({"alg": "RS512", "kid": "a"}),
        json!({"alg": "RS256", "kid": "a", "crit": ["b64"], "b64": false}),
        json!({"kid": "a"}),
    ] {
        let token = rsa.token_under(&header, &claims);
        reason(shown(&fake, &[&rsa], &token).await);
        assert_eq!(fake.asked("/keys").len(), 0, "{header}");
    }
    for token in ["", "a.b", "a.b.c.d", "....", "e30.e30."] {
        assert!(shown(&fake, &[&rsa], token).await.is_err(), "{token}");
    }
}

#[tokio::test]
async fn a_token_of_another_for_another_or_of_another_time_is_not_believed() {
    let fake = Fake::new();
    let key = ed25519("a");
    let now = START.wall.as_millis() / 1_000;
    let with = |changes: &[(&str, Value)]| {
        let mut claims = fake.claims(START);
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        key.token(&claims)
    };
    for changes in [
        &[("aud", json!(["realm"]))][..],
        &[("aud", json!(["realm", "other"])), ("azp", json!("realm"))],
        &[("azp", json!("realm"))],
        &[("exp", json!(now - 59))],
        &[("iat", json!(now + 60)), ("nbf", json!(now + 60))],
        &[("iat", json!(now - 600))],
    ] {
        let right = shown(&fake, &[&key], &with(changes)).await;
        assert!(right.is_ok(), "{changes:?}: {right:?}");
    }
    for (changes, why) in [
        (&[("iss", json!("https://id.example.org"))][..], "`iss`"),
        (&[("iss", json!(format!("{}/", fake.issuer)))], "`iss`"),
        (&[("iss", Value::Null)], "cannot be read"),
        (&[("aud", json!("other"))], "`aud`"),
        (&[("aud", json!([]))], "`aud`"),
        (&[("aud", json!(["realm", "other"]))], "`azp`"),
        (&[("azp", json!("other"))], "`azp`"),
        (&[("nonce", json!("n"))], "`nonce`"),
        (&[("exp", json!(now - 60))], "is over"),
        (&[("exp", Value::Null)], "cannot be read"),
        (&[("exp", json!("9999999999"))], "cannot be read"),
        (&[("iat", json!(now + 61))], "just now"),
        (&[("iat", json!(now - 601))], "just now"),
        (&[("iat", Value::Null)], "cannot be read"),
        (&[("nbf", json!(now + 61))], "just now"),
        (&[("sub", json!(""))], "of whom it speaks"),
        (&[("sub", Value::Null)], "of whom it speaks"),
    ] {
        let wrong = reason(shown(&fake, &[&key], &with(changes)).await);
        assert!(wrong.contains(why), "{changes:?}: {wrong}");
    }
}
