//! The `openidconnect` crate

use std::pin::Pin;

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdTokenVerifier, CoreProviderMetadata,
    CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge,
    RedirectUrl, RefreshToken, Scope, TokenResponse as _,
};

use crate::support::browser::Browser;
use crate::support::client::{Authentication, WEB, parameter};
use crate::support::engines::on_every_engine;
use crate::support::server::ALICE;

on_every_engine! {
    async fn openidconnect_verifies_what_it_is_given(server: Server) {
        let http = Http(server.http().clone());
        let issuer = IssuerUrl::new(server.issuer().to_owned()).unwrap();
        let metadata = CoreProviderMetadata::discover_async(issuer, &http).await.unwrap();
        let Authentication::Basic(secret) = WEB.authentication else { unreachable!() };
        let (id, secret) = (ClientId::new(WEB.id.into()), ClientSecret::new(secret.into()));
        let client = CoreClient::from_provider_metadata(metadata, id, Some(secret))
            .set_redirect_uri(RedirectUrl::new(WEB.redirect_uri.into()).unwrap());

        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(["profile", "email", "offline_access"].map(|scope| Scope::new(scope.into())))
            .set_pkce_challenge(challenge)
            .url();
        let callback = Browser::new(&server).sign_in_and_authorize(url.as_str(), ALICE).await;
        assert_eq!(parameter(&callback, "state").as_ref(), Some(state.secret()));

        let code = AuthorizationCode::new(parameter(&callback, "code").unwrap());
        let exchange = client.exchange_code(code).unwrap().set_pkce_verifier(verifier);
        let tokens: CoreTokenResponse = exchange.request_async(&http).await.unwrap();
        let verifying: CoreIdTokenVerifier<'_> = client.id_token_verifier();
        let id_token = tokens.id_token().unwrap();
        let claims = id_token.claims(&verifying, &nonce).unwrap();
        let hash = AccessTokenHash::from_token(
            tokens.access_token(),
            id_token.signing_alg().unwrap(),
            id_token.signing_key(&verifying).unwrap(),
        );
        assert_eq!(claims.access_token_hash(), Some(&hash.unwrap()), "at_hash (OIDC Core §3.1.3.6)");

        let subject = Some(claims.subject().clone());
        let userinfo = client.user_info(tokens.access_token().clone(), subject).unwrap();
        let userinfo: CoreUserInfoClaims = userinfo.request_async(&http).await.unwrap();
        assert_eq!(userinfo.email().map(|email| email.as_str()), Some("alice@example.test"));
        assert_eq!(userinfo.email_verified(), Some(true));

        let refresh_token = tokens.refresh_token().unwrap();
        let refreshed = client.exchange_refresh_token(refresh_token).unwrap().request_async(&http).await.unwrap();
        assert_ne!(refreshed.refresh_token().map(RefreshToken::secret), Some(refresh_token.secret()));
        let without_nonce = |_: Option<&Nonce>| Ok(());
        let again = refreshed.id_token().unwrap().claims(&verifying, without_nonce).unwrap();
        assert_eq!(again.subject(), claims.subject());
    }
}

/// The tests' HTTP client behind the crate's trait.
struct Http(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Self::Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request).map_err(std::io::Error::other)?;
            let answer = self
                .0
                .execute(request)
                .await
                .map_err(std::io::Error::other)?;
            let mut response = http::Response::new(Vec::new());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            *response.body_mut() = answer
                .bytes()
                .await
                .map_err(std::io::Error::other)?
                .to_vec();
            Ok(response)
        })
    }
}
