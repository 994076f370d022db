//! From one entry to a route and its description.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::header::IF_MATCH;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use super::call::{Answer, Arrived, Call, Context, respond};
use super::inputs::{Body, Known};
use super::problem::Problem;
use crate::domain::audit::{Event, EventType};
use crate::http::request_id::RequestId;
use crate::http::site::Site;
use crate::service::administration::Answered;

/// What an operation is called, and who may do it.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    /// Its name for programs: `operationId`.
    pub(super) id: &'static str,
    /// What it belongs to.
    pub(super) tag: &'static str,
    /// What it does, in a few words.
    pub(super) summary: &'static str,
    /// What else there is to know.
    pub(super) details: &'static str,
    /// The action on `signet` that the caller must be allowed, everywhere unless the operation says otherwise.
    pub(super) action: &'static str,
    /// Whether a role for an organization suffices for what belongs to it; the operation checks that itself.
    pub(super) by_organization: bool,
    /// Whether `If-Match` guards it.
    pub(super) guarded: bool,
    /// Whether it can answer 404 for what the body names, not the path.
    pub(super) named_in_body: bool,
}

impl About {
    /// An operation that needs `signet:` and this action, everywhere.
    pub(super) const fn new(
        tag: &'static str,
        id: &'static str,
        summary: &'static str,
        action: &'static str,
    ) -> Self {
        Self {
            id,
            tag,
            summary,
            details: "",
            action,
            by_organization: false,
            guarded: false,
            named_in_body: false,
        }
    }

    /// Says more.
    pub(super) const fn details(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }

    /// `If-Match` says which state is to be changed.
    pub(super) const fn guarded(mut self) -> Self {
        self.guarded = true;
        self
    }

    /// The body names what it is about.
    pub(super) const fn named_in_body(mut self) -> Self {
        self.named_in_body = true;
        self
    }

    /// Having the permission for an organization may suffice; the operation checks it itself.
    pub(super) const fn by_organization(mut self) -> Self {
        self.by_organization = true;
        self
    }
}

/// An operation as the OpenAPI document describes it.
pub(super) struct Operation {
    /// The method.
    pub(super) method: Method,
    /// The path with its parameters in braces.
    pub(super) path: &'static str,
    /// What it is.
    pub(super) about: About,
    /// Its shapes.
    pub(super) shape: fn(&mut SchemaGenerator) -> Shape,
    /// The status of its answer.
    pub(super) status: u16,
}

/// The schemas of an operation.
pub(super) struct Shape {
    /// Of the path's parameters.
    pub(super) path: Schema,
    /// Of the query's parameters.
    pub(super) query: Schema,
    /// Of the body, with its media type.
    pub(super) body: Option<(&'static str, Schema)>,
    /// Of the answer.
    pub(super) answer: Schema,
}

/// All operations, as routes and as descriptions.
#[derive(Default)]
pub(super) struct Api {
    router: Router<Site>,
    operations: Vec<Operation>,
}

impl Api {
    /// Adds an operation.
    pub(super) fn add<P, Q, B, A, F, const STATUS: u16>(
        &mut self,
        method: Method,
        path: &'static str,
        about: About,
        run: F,
    ) where
        P: DeserializeOwned + JsonSchema + Send + Sync + 'static,
        Q: DeserializeOwned + JsonSchema + Send + Sync + 'static,
        B: Body + Send + Sync + 'static,
        A: JsonSchema + 'static,
        F: Run<P, Q, B, A, STATUS>,
    {
        let router = std::mem::take(&mut self.router);
        self.router = router.route(path, route(&method, about, work(about, run)));
        self.operations.push(Operation {
            method,
            path,
            about,
            shape: |generator| Shape {
                path: P::json_schema(generator),
                query: Q::json_schema(generator),
                body: B::describe(generator),
                answer: generator.subschema_for::<A>(),
            },
            status: STATUS,
        });
    }

    /// The descriptions.
    pub(super) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The routes.
    pub(super) fn into_router(self) -> Router<Site> {
        self.router
    }
}

/// A function that does an operation.
pub(super) trait Run<P, Q, B, A, const STATUS: u16>: Clone + Send + Sync + 'static {
    /// Does it.
    fn run(
        &self,
        call: Call<P, Q, B>,
    ) -> impl Future<Output = Result<Answer<A, STATUS>, Problem>> + Send;
}

impl<P, Q, B, A, F, Fut, const STATUS: u16> Run<P, Q, B, A, STATUS> for F
where
    F: Fn(Call<P, Q, B>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Answer<A, STATUS>, Problem>> + Send,
{
    fn run(
        &self,
        call: Call<P, Q, B>,
    ) -> impl Future<Output = Result<Answer<A, STATUS>, Problem>> + Send {
        self(call)
    }
}

/// An operation without its types: what is done for all of them is compiled once.
type Work = Arc<dyn Fn(Arrived) -> Working + Send + Sync>;
type Working = Pin<Box<dyn Future<Output = Result<Answered, Problem>> + Send>>;

fn work<P, Q, B, A, F, const STATUS: u16>(about: About, run: F) -> Work
where
    P: DeserializeOwned + Send + Sync + 'static,
    Q: DeserializeOwned + JsonSchema + Send + Sync + 'static,
    B: Body + Send + Sync + 'static,
    A: 'static,
    F: Run<P, Q, B, A, STATUS>,
{
    let known = Arc::new(Known::of::<Q, B>());
    Arc::new(move |arrived| {
        let (run, known) = (run.clone(), Arc::clone(&known));
        // Boxed: an operation's future is as large as all that it does.
        Box::pin(async move {
            // Before anything is read: a caller without the permission learns nothing else.
            if !about.by_organization {
                arrived.context.must(about.action, None).await?;
            }
            let call = Call::<P, Q, B>::of(arrived, &known)?;
            run.run(call).await?.into_answered()
        })
    })
}

fn route(method: &Method, about: About, work: Work) -> MethodRouter<Site> {
    let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
    let handler = move |State(site): State<Site>, id: RequestId, request: Request| {
        let work = Arc::clone(&work);
        async move { Box::pin(handle(site, &id, request, about, &work)).await }
    };
    on(filter, handler)
}

async fn handle(
    site: Site,
    id: &RequestId,
    request: Request,
    about: About,
    work: &Work,
) -> Response {
    let headers = request.headers().clone();
    let safe = request.method().is_safe();
    if !safe && !about.guarded && headers.contains_key(IF_MATCH) {
        let detail = "this operation does not look at what is there before it writes";
        let problem = Problem::invalid("If-Match", detail).hint("send it without If-Match");
        return problem.answer(id.as_str());
    }
    let arrived = match Arrived::read(site.clone(), request).await {
        Ok(arrived) => arrived,
        Err(problem) => return problem.answer(id.as_str()),
    };
    let Context {
        admitted, by, now, ..
    } = &arrived.context;
    let (admitted, origin, now) = (*admitted, by.origin.clone(), *now);
    let again = arrived.clone();
    let done = match work(arrived).await {
        Err(problem) if problem.is_collision() => work(again).await,
        done => done,
    };
    match done {
        Ok(answered) => {
            let mut response = respond(answered, &headers, safe);
            admitted.write(response.headers_mut());
            response
        }
        Err(problem) => {
            if let Some(reason) = problem.denial() {
                let event = Event::new(EventType::AccessDenied, &origin, now)
                    .target("operation", about.id)
                    .detail("reason", reason);
                site.services.audit.note(event);
            }
            problem.answer(id.as_str())
        }
    }
}
