//! What can go wrong when an object is listed or read, and whether waiting helps.
//!
//! Messages name the URI and what to do. Nothing a store says is passed on unfiltered: URLs lose their query (it may
//! carry a signature), and of a response body only the error's code and message are kept.

/// Why an object could not be listed, read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No object is there.
    #[error("nothing found at `{uri}`: {hint}")]
    NotFound {
        /// The URI as asked for.
        uri: String,
        /// What to check.
        hint: String,
    },
    /// The bucket or container does not exist.
    #[error(
        "bucket `{bucket}` of `{uri}` does not exist: check its name, the endpoint and the region under `{section}`"
    )]
    NoBucket {
        /// The URI as asked for.
        uri: String,
        /// The bucket's name.
        bucket: String,
        /// The section of the configuration.
        section: &'static str,
    },
    /// Configuration, the store or the file system forbids it.
    #[error("may not access `{uri}`: {reason}")]
    Denied {
        /// The URI as asked for.
        uri: String,
        /// Who forbids it and what to change.
        reason: String,
    },
    /// The store cannot be reached or is not well; later it may work.
    #[error("cannot reach `{uri}`: {reason}")]
    Unreachable {
        /// The URI as asked for.
        uri: String,
        /// What happened.
        reason: String,
    },
    /// The store answered that this request will never work.
    #[error("cannot read `{uri}`: {reason}")]
    Refused {
        /// The URI as asked for.
        uri: String,
        /// What happened.
        reason: String,
    },
    /// The object is no longer the one that was listed.
    #[error("`{uri}` changed since it was opened ({detail}): run again to read the new object")]
    Changed {
        /// The object.
        uri: String,
        /// What differs.
        detail: String,
    },
    /// The text is not a URI that can be read.
    #[error("`{uri}` is not a usable URI: {reason}")]
    BadUri {
        /// The URI, without credentials.
        uri: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A pattern matches more objects than allowed.
    #[error("`{uri}` matches more than {limit} objects: narrow the pattern or raise `storage.max_objects`")]
    TooMany {
        /// The pattern.
        uri: String,
        /// The configured limit.
        limit: usize,
    },
}

impl Error {
    /// Whether the same call may succeed later without anyone changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// A stable word for machines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "no_data",
            Self::NoBucket { .. } => "no_bucket",
            Self::Denied { .. } => "denied",
            Self::Unreachable { .. } => "unreachable",
            Self::Refused { .. } => "unreadable",
            Self::Changed { .. } => "input_changed",
            Self::BadUri { .. } => "bad_uri",
            Self::TooMany { .. } => "too_many_objects",
        }
    }

    /// Translates a failed file operation.
    pub(super) fn from_io(uri: &str, error: &std::io::Error) -> Self {
        let uri = uri.to_owned();
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound { uri, hint: "no such file".into() },
            std::io::ErrorKind::PermissionDenied => Self::Denied {
                uri,
                reason: "the operating system denies it: check the owner and mode of the file".into(),
            },
            std::io::ErrorKind::UnexpectedEof => {
                Self::Changed { uri, detail: "it is shorter than when it was listed".into() }
            }
            _ => Self::Unreachable { uri, reason: error.to_string() },
        }
    }

    /// Translates a failed request to a store; `section` is where its settings live.
    pub(super) fn from_store(uri: &str, section: &'static str, bucket: &str, error: &object_store::Error) -> Self {
        let text = error.to_string();
        let uri = uri.to_owned();
        if let Some(reason) = super::reach::refusal(error) {
            return Self::Denied { uri, reason };
        }
        if text.contains("NoSuchBucket") || text.contains("ContainerNotFound") {
            return Self::NoBucket { uri, bucket: bucket.to_owned(), section };
        }
        // Without configured credentials the client asks the machine's metadata service, which exists only in a cloud.
        if text.contains("169.254.169.254") || text.contains("metadata.google.internal") {
            let reason = format!("no credentials are configured: set them under `{section}` or in the environment");
            return Self::Denied { uri, reason };
        }
        let said = sanitized(&text);
        let refused = |said: String| format!("the store refused the credentials ({said}): check `{section}`");
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound { uri, hint: "no such object".into() },
            object_store::Error::Precondition { .. } | object_store::Error::NotModified { .. } => {
                Self::Changed { uri, detail: "its etag differs".into() }
            }
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                Self::Denied { uri, reason: refused(said) }
            }
            object_store::Error::InvalidPath { .. } => Self::BadUri { uri, reason: said },
            object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. } => {
                Self::Refused { uri, reason: said }
            }
            _ => match status_in(&text) {
                // Listings wrap every status into the same error.
                Some(401 | 403) => Self::Denied { uri, reason: refused(said) },
                Some(404) => Self::NotFound { uri, hint: "no such object".into() },
                Some(416) => Self::Changed { uri, detail: "it is shorter than when it was listed".into() },
                Some(status) if (300..500).contains(&status) && status != 408 && status != 429 => {
                    Self::Refused { uri, reason: said }
                }
                _ => Self::Unreachable { uri, reason: said },
            },
        }
    }
}

/// The HTTP status a store's error mentions.
fn status_in(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ").or_else(|| text.split_once("status: "))?;
    rest.get(..3)?.parse().ok()
}

/// A store's error without queries, bodies and line breaks.
fn sanitized(text: &str) -> String {
    let between = |open: &str, close: &str| {
        let start = text.find(open)? + open.len();
        let length = text.get(start..)?.find(close)?;
        text.get(start..start + length).map(str::to_owned)
    };
    if let Some(code) = between("<Code>", "</Code>") {
        return match between("<Message>", "</Message>") {
            Some(message) if !message.is_empty() => format!("{code}: {}", message.trim()),
            _ => code,
        };
    }
    // "... error: Error performing GET https://... in 3ms, after 3 retries, ... - what happened": how long it took
    // differs every time and would make each failure look new.
    let (request, happened) = text.split_once(" - ").unwrap_or(("", text));
    let address = request.split_whitespace().find(|word| word.starts_with("http"));
    let text = address.map_or_else(|| happened.to_owned(), |address| format!("{address} {happened}"));
    let mut out = String::new();
    for word in text.split_whitespace() {
        // A body is not for people; the request's address may be signed in its query.
        if word.starts_with('<') || out.len() > 300 {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word.split('?').next().unwrap_or(word));
    }
    out.trim_end_matches([':', ' ', '-']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_and_bodies_do_not_reach_the_message() {
        let text = "Generic S3 error: GET https://host/bucket/key?X-Amz-Signature=abc&sig=def in 1ms - \
                    Server returned non-2xx status code: 500: <html>secret</html>";
        let said = sanitized(text);
        assert!(!said.contains("abc") && !said.contains("def") && !said.contains("secret"), "{said}");
        assert!(said.contains("https://host/bucket/key"), "{said}");
        assert_eq!(status_in(text), Some(500));
    }

    #[test]
    fn of_an_xml_body_code_and_message_remain() {
        let text = "x <Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
        assert_eq!(sanitized(text), "InvalidAccessKeyId: no such key");
    }

    #[test]
    fn only_an_unreachable_store_is_worth_waiting_for() {
        let unreachable = Error::Unreachable { uri: "s3://a/b".into(), reason: String::new() };
        assert!(unreachable.is_transient());
        let denied = Error::Denied { uri: "s3://a/b".into(), reason: String::new() };
        assert!(!denied.is_transient());
    }

    #[test]
    fn a_bad_request_is_final_and_a_bad_gateway_is_not() {
        let of = |status: u16| {
            let source = format!("Server returned non-2xx status code: {status} nope").into();
            Error::from_store("s3://a/b", "storage.s3", "a", &object_store::Error::Generic { store: "S3", source })
        };
        assert!(matches!(of(400), Error::Refused { .. }));
        assert!(matches!(of(301), Error::Refused { .. }));
        assert!(matches!(of(429), Error::Unreachable { .. }));
        assert!(matches!(of(502), Error::Unreachable { .. }));
        assert!(matches!(of(416), Error::Changed { .. }));
        assert!(matches!(of(403), Error::Denied { .. }));
    }
}
