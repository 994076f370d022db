use axum::routing::{get, post};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;
use crate::http::client_ip::ClientIp;
use crate::http::limits::FormBody;

fn app() -> Router {
    let router = Router::new()
        .route("/id", get(|id: RequestId| async move { id.to_string() }))
        .route("/ip", get(|ip: ClientIp| async move { ip.0.to_string() }))
        .route("/panic", get(|| async { panic!("secret cause") as () }))
        .route("/slow", get(|| tokio::time::sleep(Duration::from_mins(1))))
        .route("/form", post(|form: FormBody| async move { form.0 }));
    observe(
        router,
        Observe {
            trusted_proxies: TrustedProxies::new(&["10.0.0.0/8".parse().unwrap()]),
            request_timeout: Duration::from_millis(100),
            body_limit: 16,
        },
    )
}

async fn answer(request: Request) -> (Response, String) {
    let response = app().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    (Response::from_parts(parts, Body::empty()), text)
}

fn request(method: &str, path: &str) -> Request {
    Request::builder()
        .method(method)
        .uri(path)
        .header("x-forwarded-for", "203.0.113.9")
        .header("content-type", "application/x-www-form-urlencoded")
        .extension(Peer("10.0.0.1:1".parse().unwrap()))
        .body(Body::empty())
        .unwrap()
}

fn id_of(response: &Response) -> String {
    response
        .headers()
        .get("x-request-id")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn the_handler_and_the_answer_have_the_same_id() {
    let (response, text) = answer(request("GET", "/id")).await;
    assert_eq!(id_of(&response), text);
    assert_eq!(answer(request("GET", "/ip")).await.1, "203.0.113.9");
}

#[tokio::test]
async fn every_answer_has_an_id() {
    for (method, path, status) in [
        ("GET", "/nowhere", 404),
        ("DELETE", "/id", 405),
        ("GET", "/panic", 500),
        ("GET", "/slow", 503),
    ] {
        let (response, text) = answer(request(method, path)).await;
        assert_eq!(response.status(), status, "{path}");
        let id = id_of(&response);
        assert_eq!(id.len(), 32);
        assert!(!text.contains("secret cause"));
        if status >= 500 {
            assert!(text.contains(&id), "{text}");
        }
    }
    let mut large = request("POST", "/form");
    *large.body_mut() = Body::from("a=345678901234567");
    let (response, text) = answer(large).await;
    assert_eq!(
        (response.status().as_u16(), id_of(&response).len()),
        (413, 32)
    );
    assert!(text.contains("invalid_request"), "{text}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_the_clients_matter() {
    struct Never;
    impl hyper::body::Body for Never {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }
    let mut slow = request("POST", "/form");
    *slow.body_mut() = Body::new(Never);
    let (response, _) = answer(slow).await;
    assert_eq!(response.status(), 408);
    let (response, _) = answer(request("GET", "/slow")).await;
    assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "5");
}

#[tokio::test]
async fn browsers_get_a_page() {
    let mut panicking = request("GET", "/panic");
    panicking
        .headers_mut()
        .insert(ACCEPT, "text/html,*/*".parse().unwrap());
    let (response, text) = answer(panicking).await;
    assert!(
        text.contains(&format!(
            "<code id=\"request-id\">{}</code>",
            id_of(&response)
        )),
        "{text}"
    );
    assert!(response.headers().contains_key("content-security-policy"));
}
