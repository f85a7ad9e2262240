//! A client of the REST API of a real `steward api` process.

use std::time::Duration;

use serde_json::Value;

use super::database::TestDatabase;
use super::steward::{Role, Site, eventually};

/// A running API with its database.
pub struct Service {
    pub database: TestDatabase,
    pub site: Site,
    pub base: String,
    pub role: Role,
}

impl Service {
    /// Starts `steward <role>` with a configuration.
    pub async fn start_as(role: &str, config: &str) -> Self {
        let database = TestDatabase::new().await;
        let url = database.url.clone();
        Self::start_at(role, config, database, &url).await
    }

    /// The same, where the process reaches its database at another address.
    pub async fn start_at(role: &str, config: &str, database: TestDatabase, url: &str) -> Self {
        let site = Site::new(url, config);
        let role = site.start("api", &[role]);
        let base = address(&role).await;
        Self { database, site, base, role }
    }

    /// Starts `steward api` again, after the process before it has ended; it listens elsewhere.
    pub async fn restart(&mut self) {
        self.role = self.site.start("api", &["api"]);
        self.base = address(&self.role).await;
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// Starts the open API.
    pub async fn open() -> Self {
        Self::start_as("api", "").await
    }

    /// Starts an API that asks for tokens.
    pub async fn with_tokens() -> Self {
        Self::start_as("api", "[server]\nauthentication = \"tokens\"\n").await
    }

    /// A client without a token.
    pub fn client(&self) -> Client {
        Client { base: self.base.clone(), token: None, http: reqwest::Client::new() }
    }

    /// A client with a new token of these scopes.
    pub fn client_of(&self, name: &str, scopes: &[&str]) -> Client {
        let mut args = vec!["token", "create", name];
        for scope in scopes {
            args.extend(["--scope", scope]);
        }
        let token = self.site.ok(&args).trim().to_owned();
        Client { token: Some(token), ..self.client() }
    }
}

async fn address(role: &Role) -> String {
    eventually("the API listens", Duration::from_secs(30), || async {
        let log = role.log();
        let (_, rest) = log.split_once("http://")?;
        Some(format!("http://{}", rest.split_once("/reference")?.0))
    })
    .await
}

/// Whoever calls.
#[derive(Clone)]
pub struct Client {
    base: String,
    pub token: Option<String>,
    http: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// The body, when the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// A problem with this status and code; its detail.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.headers["x-request-id"], self.body["request_id"].as_str().unwrap());
        self.body
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Client {
    /// The same, with this token.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(body.to_string()), &[]).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, Some(body.to_string()), &[]).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<String>, headers: &[(&str, &str)]) -> Answer {
        self.try_send(method, path, body, headers).await.unwrap()
    }

    /// The same, where the other side may be gone.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method.parse().unwrap(), url);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status, headers, body, text })
    }
}
