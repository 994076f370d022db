//! What handlers are given: the services, and how this site speaks to browsers.

use std::sync::Arc;

use super::cookies::Cookies;
use super::headers::PageHeaders;
use super::memo::Memo;
use crate::domain::resource::Resource;
use crate::service::Services;

/// The state of every handler; cheap to clone.
#[derive(Clone)]
pub struct Site(Arc<Inner>);

/// What stands behind [`Site`].
pub struct Inner {
    /// Everything that acts.
    pub services: Arc<Services>,
    /// Cookie names and attributes.
    pub cookies: Cookies,
    /// Headers of pages.
    pub page_headers: PageHeaders,
    /// The metadata document, which changes with the resource servers.
    pub metadata: Memo<Vec<Resource>>,
}

impl Site {
    /// The site of these services.
    #[must_use]
    pub fn new(services: Arc<Services>) -> Self {
        let https = services.config.issuer.is_https();
        Self(Arc::new(Inner {
            services,
            cookies: Cookies::new(https),
            page_headers: PageHeaders::new(https),
            metadata: Memo::default(),
        }))
    }
}

impl std::ops::Deref for Site {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
