//! A real SMTP server: sockets, TLS and authentication are real, and it misbehaves on demand.
//!
//! The dialogue is mailin's state machine; sockets and TLS are ours, so that a test can break them at any point.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use mailin::{Action, AuthMechanism, Handler, Response, SessionBuilder, response};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// How connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    None,
    Starttls,
    Tls,
}

/// What happens to the next message instead of being accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The recipient is refused for good (550).
    Refuse,
    /// The recipient is refused for now (450).
    Later,
    /// The message is taken and the connection dropped before the answer.
    DropAfterData,
}

/// A message as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) source: String,
    /// Whether the connection was encrypted when it arrived.
    pub(crate) encrypted: bool,
    /// Who had logged in.
    pub(crate) login: Option<String>,
}

#[derive(Default)]
struct State {
    messages: Vec<Received>,
    troubles: VecDeque<Trouble>,
    password: Option<(String, String)>,
}

/// The server; it stops when it is dropped.
pub(crate) struct SmtpServer {
    pub(crate) address: SocketAddr,
    /// A file with the certificate authority of the server's certificate.
    pub(crate) ca_file: PathBuf,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl SmtpServer {
    /// A server on a free port; its authority is written into `folder`.
    pub(crate) async fn start(protection: Protection, folder: &Path) -> Self {
        Self::start_on(0, protection, folder).await
    }

    /// A server on that port.
    pub(crate) async fn start_on(port: u16, protection: Protection, folder: &Path) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, ca_file) = authority(folder, address.port());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((socket, peer)) = listener.accept().await {
                let (state, acceptor) = (Arc::clone(&shared), acceptor.clone());
                tokio::spawn(async move {
                    let _ = serve(socket, peer, protection, acceptor, state).await;
                });
            }
        });
        Self { address, ca_file, state, task }
    }

    /// From now on only this login is let in.
    pub(crate) fn require(&self, user: &str, password: &str) {
        self.state.lock().unwrap().password = Some((user.to_owned(), password.to_owned()));
    }

    /// Adds trouble for the next message that has none yet.
    pub(crate) fn trouble(&self, trouble: Trouble) {
        self.state.lock().unwrap().troubles.push_back(trouble);
    }

    /// Everything that arrived, also what was never confirmed.
    pub(crate) fn messages(&self) -> Vec<Received> {
        self.state.lock().unwrap().messages.clone()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn authority(folder: &Path, port: u16) -> (TlsAcceptor, PathBuf) {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Test authority");
    let key = rcgen::KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap();
    let ca_file = folder.join(format!("ca-{port}.pem"));
    std::fs::write(&ca_file, ca.pem()).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let own_key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&own_key, &issuer)
        .unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), ca_file)
}

/// One message under way.
#[derive(Clone)]
struct Desk {
    state: Arc<Mutex<State>>,
    now: Arc<Mutex<Now>>,
}

#[derive(Default)]
struct Now {
    from: String,
    to: Vec<String>,
    source: Vec<u8>,
    encrypted: bool,
    login: Option<String>,
    drop: bool,
}

impl Handler for Desk {
    fn mail(&mut self, _ip: std::net::IpAddr, _domain: &str, from: &str) -> Response {
        let mut now = self.now.lock().unwrap();
        if self.state.lock().unwrap().password.is_some() && now.login.is_none() {
            return response::AUTHENTICATION_REQUIRED;
        }
        now.from = from.to_owned();
        now.to.clear();
        now.source.clear();
        response::OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        let mut state = self.state.lock().unwrap();
        match state.troubles.front() {
            Some(Trouble::Refuse) => {
                state.troubles.pop_front();
                response::NO_MAILBOX
            }
            Some(Trouble::Later) => {
                state.troubles.pop_front();
                Response::custom(450, "mailbox busy".to_owned())
            }
            _ => {
                self.now.lock().unwrap().to.push(to.to_owned());
                response::OK
            }
        }
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        self.now.lock().unwrap().source.extend_from_slice(line);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let (mut state, mut now) = (self.state.lock().unwrap(), self.now.lock().unwrap());
        if state.troubles.front() == Some(&Trouble::DropAfterData) {
            state.troubles.pop_front();
            now.drop = true;
        }
        state.messages.push(Received {
            from: now.from.clone(),
            to: now.to.clone(),
            source: String::from_utf8(now.source.clone()).unwrap(),
            encrypted: now.encrypted,
            login: now.login.clone(),
        });
        response::OK
    }

    fn auth_plain(&mut self, _authorization: &str, user: &str, password: &str) -> Response {
        if self.state.lock().unwrap().password != Some((user.to_owned(), password.to_owned())) {
            return response::INVALID_CREDENTIALS;
        }
        self.now.lock().unwrap().login = Some(user.to_owned());
        response::AUTH_OK
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    protection: Protection,
    acceptor: TlsAcceptor,
    state: Arc<Mutex<State>>,
) -> io::Result<()> {
    let now = Arc::new(Mutex::new(Now::default()));
    let mut builder = SessionBuilder::new("mail.test");
    if protection == Protection::Starttls {
        builder.enable_start_tls();
    }
    if state.lock().unwrap().password.is_some() {
        builder.enable_auth(AuthMechanism::Plain);
    }
    let mut session = builder.build(peer.ip(), Desk { state, now: Arc::clone(&now) });
    let mut stream: Box<dyn Stream> = Box::new(socket);
    if protection == Protection::Tls {
        stream = Box::new(acceptor.accept(stream).await?);
        session.tls_active();
        now.lock().unwrap().encrypted = true;
    }
    let mut stream = BufReader::new(stream);
    write(&mut stream, &session.greeting()).await?;
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let response = session.process(&line);
        if now.lock().unwrap().drop {
            return Ok(());
        }
        match response.action {
            Action::NoReply => {}
            Action::Reply => write(&mut stream, &response).await?,
            Action::Close => return write(&mut stream, &response).await,
            Action::UpgradeTls => {
                write(&mut stream, &response).await?;
                stream = BufReader::new(Box::new(acceptor.accept(stream.into_inner()).await?));
                session.tls_active();
                now.lock().unwrap().encrypted = true;
            }
        }
    }
}

async fn write(stream: &mut BufReader<Box<dyn Stream>>, response: &Response) -> io::Result<()> {
    let mut bytes = Vec::new();
    response.write_to(&mut bytes)?;
    stream.write_all(&bytes).await?;
    stream.flush().await
}
