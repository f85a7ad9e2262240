//! What a request for a dataset over HTTP may reach: the connection itself is guarded, not only the URI.
//!
//! A name may resolve to anything at any time, and a server may redirect anywhere. So every name is resolved here and each
//! address checked before it is connected to, and every redirect is judged like the URI it stands for:
//! * metadata services and link-local addresses are never reached;
//! * a redirect stays below `storage.allowed` when that is set, never goes from https to http, and leads to another
//!   host only when that is on the public internet.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;
use url::{Host, Url};

use super::location::Location;
use super::policy::Policy;
use crate::config::network::{is_metadata, is_metadata_name, not_public};
use crate::config::storage::StorageSettings;

/// Redirects that are followed.
const MOST_REDIRECTS: usize = 5;

/// The refusal of a target.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(String);

/// Whether a host, as a URI names it, is a metadata service.
pub(super) fn check_host(url: &Url) -> Result<(), Refused> {
    match literal(url) {
        Some(address) if is_metadata(address) => Err(Refused(format!("{address} is no place of data"))),
        None if url.host_str().is_some_and(is_metadata_name) => {
            Err(Refused(format!("{} is a cloud's metadata service", url.host_str().unwrap_or_default())))
        }
        _ => Ok(()),
    }
}

/// The address that stands in a URL in place of a name; the URL's parser has read decimal, octal and hexadecimal forms.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// Makes the client of one origin.
#[derive(Debug)]
pub(super) struct Guarded {
    reach: Reach,
    connect_timeout: std::time::Duration,
    timeout: std::time::Duration,
}

#[derive(Debug, Clone)]
struct Reach {
    /// The host that the URI names.
    own: String,
    policy: Arc<Policy>,
    /// Hosts of the proxies that the environment names: they are the operator's, wherever they are.
    proxies: Vec<String>,
}

/// The hosts of the proxies that the client will use.
fn proxies() -> Vec<String> {
    let of = |name: &str| std::env::var(name).ok().or_else(|| std::env::var(name.to_lowercase()).ok());
    let written = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].into_iter().filter_map(of);
    let url = |text: String| Url::parse(&text).or_else(|_| Url::parse(&format!("http://{text}"))).ok();
    written.filter_map(|text| url(text)?.host_str().map(str::to_owned)).collect()
}

impl Guarded {
    pub(super) fn new(location: &Location, policy: Arc<Policy>, settings: &StorageSettings) -> Self {
        let own = Url::parse(&location.bucket).ok().and_then(|url| url.host_str().map(str::to_owned));
        Self {
            reach: Reach { own: own.unwrap_or_default(), policy, proxies: proxies() },
            connect_timeout: std::time::Duration::from_secs(settings.connect_timeout_seconds),
            timeout: std::time::Duration::from_secs(settings.read_timeout_seconds),
        }
    }
}

impl HttpConnector for Guarded {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let reach = self.reach.clone();
        // Sizes are compared with Content-Length, so nothing may be unpacked on the way.
        let client = reqwest::Client::builder()
            .user_agent(concat!("steward/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.connect_timeout)
            .timeout(self.timeout)
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .dns_resolver(Arc::new(self.reach.clone()))
            .redirect(redirect::Policy::custom(move |attempt| {
                match reach.redirect(attempt.previous(), attempt.url()) {
                    Ok(()) => attempt.follow(),
                    Err(refused) => attempt.error(refused),
                }
            }))
            .build();
        client
            .map(HttpClient::new)
            .map_err(|error| object_store::Error::Generic { store: "HTTP client", source: Box::new(error) })
    }
}

impl Reach {
    fn redirect(&self, previous: &[Url], to: &Url) -> Result<(), Refused> {
        let shown = format!("{}{}", to.origin().ascii_serialization(), to.path());
        let refused = |why: &str| Refused(format!("it redirects to {shown}, {why}"));
        if previous.len() > MOST_REDIRECTS {
            return Err(refused("one redirect too many"));
        }
        if previous.last().is_some_and(|from| from.scheme() == "https") && to.scheme() != "https" {
            return Err(refused("which is not encrypted"));
        }
        check_host(to).map_err(|why| refused(&why.to_string()))?;
        let location = Location::parse(to.as_str()).map_err(|_| refused("which is no place of data"))?;
        self.policy.check(&location).map_err(|_| refused("which is outside of `storage.allowed`"))?;
        match literal(to) {
            Some(address) => self.address(to.host_str().unwrap_or_default(), address),
            None => Ok(()),
        }
    }

    /// Whether an address may be connected to under the name `host`.
    fn address(&self, host: &str, address: IpAddr) -> Result<(), Refused> {
        if self.proxies.iter().any(|proxy| proxy == host) {
            return Ok(());
        }
        if is_metadata(address) {
            return Err(Refused(format!("{host} is at {address}, which is no place of data")));
        }
        match not_public(address) {
            // The host of the URI, and those that the operator lists, may be at home.
            Some(what) if host != self.own && !self.policy.names_host(host) => {
                Err(Refused(format!("it redirects to {host} at {address}, {what}")))
            }
            _ => Ok(()),
        }
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &addresses {
                this.address(name.as_str(), address.ip())?;
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The refusal behind a store's error.
pub(super) fn refusal(error: &object_store::Error) -> Option<String> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return Some(refused.to_string());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(own: &str, allowed: &[&str]) -> Reach {
        let allowed: Vec<String> = allowed.iter().map(|root| (*root).to_owned()).collect();
        Reach { own: own.to_owned(), policy: Arc::new(Policy::new(&allowed)), proxies: vec!["proxy.corp".to_owned()] }
    }

    fn redirect(reach: &Reach, from: &str, to: &str) -> Result<(), String> {
        let result = reach.redirect(&[Url::parse(from).unwrap()], &Url::parse(to).unwrap());
        result.map_err(|refused| refused.to_string())
    }

    #[test]
    fn redirects_go_where_the_uri_could_have_gone() {
        let open = reach("host", &[]);
        assert!(redirect(&open, "https://host/a", "https://cdn.example/a?sig=1").is_ok());
        assert!(redirect(&open, "http://host/a", "https://host/b").is_ok());
        for (to, why) in [
            ("http://host/b", "not encrypted"),
            ("https://169.254.169.254/latest", "no place of data"),
            ("https://2852039166/latest", "no place of data"),
            ("https://metadata.google.internal/x", "metadata"),
            ("https://10.0.0.1/admin", "a private address"),
            ("https://[::1]/admin", "a loopback address"),
            ("https://[::ffff:127.0.0.1]/admin", "a loopback address"),
            ("https://user:pw@cdn.example/a", "no place of data"),
        ] {
            let refused = redirect(&open, "https://host/a", to).unwrap_err();
            assert!(refused.contains(why) && !refused.contains("pw"), "{to}: {refused}");
        }
        let listed = reach("host", &["https://host/data", "https://10.0.0.1/data"]);
        assert!(redirect(&listed, "https://host/data/a", "https://host/data/b").is_ok());
        assert!(redirect(&listed, "https://host/data/a", "https://10.0.0.1/data/b").is_ok());
        for to in ["https://host/other", "https://cdn.example/data/a", "https://10.0.0.1/admin"] {
            assert!(redirect(&listed, "https://host/data/a", to).unwrap_err().contains("storage.allowed"), "{to}");
        }
        let six: Vec<Url> = (0..6).map(|i| Url::parse(&format!("https://host/{i}")).unwrap()).collect();
        assert!(open.redirect(&six, &Url::parse("https://host/7").unwrap()).is_err());
    }

    #[test]
    fn names_are_judged_by_the_addresses_that_they_have_now() {
        let reach = reach("data.corp", &["https://listed.corp/data"]);
        let address = |host: &str, address: &str| reach.address(host, address.parse().unwrap()).is_ok();
        assert!(
            address("data.corp", "10.0.0.1") && address("listed.corp", "10.0.0.2") && address("proxy.corp", "10.0.0.3")
        );
        assert!(!address("data.corp", "169.254.169.254"), "a name that was bound anew to the metadata service");
        assert!(!address("data.corp", "::ffff:169.254.169.254") && !address("listed.corp", "fd00:ec2::254"));
        assert!(!address("elsewhere", "10.0.0.1") && !address("elsewhere", "127.0.0.1"));
        assert!(address("elsewhere", "93.184.216.34"));
    }
}
