//! The one key everything else is derived from, and the file it lives in.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{b64, random};

/// 256 random bits. Losing them loses every sealed signing key and every outstanding credential;
/// leaking them lets the finder mint both.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

/// Why there is no master key, and what to do about it. Never holds the key itself.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The text is not base64.
    #[error(
        "the master key must be base64 of exactly 32 bytes (make one with `openssl rand -base64 32`), \
         but its {letters} characters are not base64"
    )]
    NotBase64 {
        /// How many characters came.
        letters: usize,
    },
    /// The text is base64 of something longer or shorter than a key.
    #[error(
        "the master key must be base64 of exactly 32 bytes (make one with `openssl rand -base64 32`), \
         but it decodes to {bytes} bytes"
    )]
    WrongLength {
        /// How many bytes came.
        bytes: usize,
    },
    /// Other accounts of this machine can read the file.
    #[error(
        "{path} can be read by other accounts (mode {mode:04o}); run `chmod 600 {path}` and start again"
    )]
    TooOpen {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold a key.
    #[error("{path} does not hold a master key: {source}")]
    BadFile {
        /// The key file.
        path: PathBuf,
        /// What is wrong with its content.
        source: Box<MasterKeyError>,
    },
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

impl MasterKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self(random::bytes())
    }

    /// Reads a key from standard or URL-safe base64, padded or not, with white space around it.
    pub fn from_base64(text: &str) -> Result<Self, MasterKeyError> {
        let text = text.trim();
        let digits = text.trim_end_matches('=');
        let engine = if digits.contains(['-', '_']) {
            URL_SAFE_NO_PAD
        } else {
            STANDARD_NO_PAD
        };
        let bytes =
            engine
                .decode(digits)
                .map(Zeroizing::new)
                .map_err(|_| MasterKeyError::NotBase64 {
                    letters: text.chars().count(),
                })?;
        let key = <[u8; 32]>::try_from(bytes.as_slice())
            .map_err(|_| MasterKeyError::WrongLength { bytes: bytes.len() })?;
        Ok(Self(key))
    }

    /// The key as standard base64, for a secret store or for the key file.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0))
    }

    /// The key in `dir/master.key`, made at the first start with mode 0600.
    ///
    /// Several processes may start at once: each writes its own candidate, the file system lets
    /// exactly one of them take the name, and all of them read back what won. A file that other
    /// accounts can read is refused. Blocking: call it before serving.
    pub fn load_or_create(dir: &Path) -> Result<Self, MasterKeyError> {
        let path = dir.join(FILE);
        if let Some(key) = load(&path)? {
            return Ok(key);
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(io_error("create the directory", dir))?;
        publish(dir, &path, &Self::generate())?;
        load(&path)?.ok_or_else(|| {
            let gone = io::Error::new(ErrorKind::NotFound, "it vanished after it was created");
            io_error("read", &path)(gone)
        })
    }

    /// The 32-byte key of one `purpose`: HKDF-SHA256 with `info` = `signet/v1/` ‖ purpose
    /// ([RFC 5869](https://www.rfc-editor.org/rfc/rfc5869)).
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut key = [0; 32];
        self.expand(purpose, &mut key);
        key
    }

    /// HMAC-SHA-256 under the key of one `purpose`, ready to be cloned for each message.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    pub(super) fn hmac(&self, purpose: &str) -> Hmac<Sha256> {
        let key = Zeroizing::new(self.derive(purpose));
        Hmac::new_from_slice(key.as_slice()).expect("HMAC takes 32 bytes")
    }

    #[expect(
        clippy::expect_used,
        reason = "HKDF-SHA256 refuses only more than 8160 bytes of output"
    )]
    fn expand(&self, purpose: &str, key: &mut [u8; 32]) {
        Hkdf::<Sha256>::new(None, &self.0)
            .expand_multi_info(&[b"signet/v1/", purpose.as_bytes()], key)
            .expect("32 bytes are less than 8160");
    }

    /// A short name of this key that is safe to show and log: two instances with the same
    /// fingerprint hold the same key.
    pub fn fingerprint(&self) -> String {
        let derived = self.derive("fingerprint");
        derived
            .first_chunk::<6>()
            .map(|short| b64::encode(short))
            .unwrap_or_default()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.fingerprint())
    }
}

/// Reads the key file; `None` when there is none.
fn load(path: &Path) -> Result<Option<MasterKey>, MasterKeyError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("open", path)(error)),
    };
    // Asked of the open file, so that it cannot be swapped in between.
    let mode = file
        .metadata()
        .map_err(io_error("read the permissions of", path))?
        .permissions()
        .mode()
        & 0o7777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(MasterKeyError::TooOpen { path, mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(128));
    file.take(1024)
        .read_to_string(&mut text)
        .map_err(io_error("read", path))?;
    let key = MasterKey::from_base64(&text).map_err(|source| MasterKeyError::BadFile {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    Ok(Some(key))
}

/// Puts `key` at `path` unless another process was faster. The file appears whole or not at all.
fn publish(dir: &Path, path: &Path, key: &MasterKey) -> Result<(), MasterKeyError> {
    let draft = dir.join(format!(".{FILE}.{}", b64::encode(&random::bytes::<9>())));
    let published = write_draft(&draft, key)
        .map_err(io_error("write", &draft))
        .and_then(|()| take_name(&draft, path).map_err(io_error("create", path)));
    // After a rename there is no draft any more; after a crash a stale one holds an unused key.
    if let Err(error) = fs::remove_file(&draft)
        && error.kind() != ErrorKind::NotFound
        && published.is_ok()
    {
        return Err(io_error("remove", &draft)(error));
    }
    published?;
    // Without this the name could be lost in a power cut although sealed values exist already.
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(io_error("sync", dir))
}

fn write_draft(draft: &Path, key: &MasterKey) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    let mut line = key.to_base64();
    line.push('\n');
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

/// Gives the draft its final name without ever replacing a file. That another process has taken
/// the name is success too. Some file systems have no hard links, others no such rename.
fn take_name(draft: &Path, path: &Path) -> io::Result<()> {
    let refused = match fs::hard_link(draft, path) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    if refused.kind() == ErrorKind::AlreadyExists {
        return Ok(());
    }
    match renameat_with(CWD, draft, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(error) if error == rustix::io::Errno::EXIST => Ok(()),
        Err(_) => Err(refused),
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MasterKeyError {
    move |source| MasterKeyError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

const FILE: &str = "master.key";

#[cfg(test)]
mod tests {

    use std::collections::HashSet;
    use std::fs::Permissions;
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn base64_of_32_bytes_is_read_in_every_common_spelling() {
        let key = MasterKey([0xfb; 32]);
        let standard = key.to_base64();
        let url_safe = standard.replace('+', "-").replace('/', "_");
        for text in [
            standard.as_str(),
            standard.trim_end_matches('='),
            &url_safe,
            url_safe.trim_end_matches('='),
            &format!(" {}\n", *standard),
        ] {
            assert_eq!(MasterKey::from_base64(text).unwrap().0, key.0, "{text}");
        }
    }

    #[test]
    fn errors_say_what_was_expected_and_never_the_value() {
        let short = MasterKey::from_base64("c2VjcmV0").unwrap_err().to_string();
        assert!(
            short.contains("exactly 32 bytes") && short.contains("6 bytes"),
            "{short}"
        );
        let words = MasterKey::from_base64("not base64!")
            .unwrap_err()
            .to_string();
        assert!(
            words.contains("11 characters") && !words.contains("not base64!"),
            "{words}"
        );
        assert!(MasterKey::from_base64("").is_err());
    }

    #[test]
    fn debug_shows_the_fingerprint_only() {
        let key = MasterKey::generate();
        let shown = format!("{key:?}");
        assert_eq!(shown, format!("MasterKey({})", key.fingerprint()));
        assert!(!key.to_base64().contains(&key.fingerprint()));
        assert_eq!(key.fingerprint().len(), 8);
    }

    #[test]
    fn purposes_have_independent_keys_that_stay_the_same() {
        let key = MasterKey([7; 32]);
        assert_eq!(key.derive("one"), MasterKey([7; 32]).derive("one"));
        assert_ne!(key.derive("one"), key.derive("two"));
        assert_ne!(key.derive("one"), MasterKey([8; 32]).derive("one"));
        // Pinned: a change here would make every sealed value of every deployment unreadable.
        assert_eq!(key.fingerprint(), PINNED_FINGERPRINT);
    }

    /// HKDF-SHA256 (salt empty, ikm 32 × 0x07, info `signet/v1/fingerprint`), first six bytes.
    const PINNED_FINGERPRINT: &str = "CJr0cSJD";

    #[test]
    fn processes_that_start_at_once_agree_on_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        let barrier = Barrier::new(16);
        let found: HashSet<[u8; 32]> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        MasterKey::load_or_create(&keys).unwrap().0
                    })
                })
                .collect();
            starts
                .into_iter()
                .map(|start| start.join().unwrap())
                .collect()
        });
        assert_eq!(found.len(), 1);
        let files: Vec<_> = fs::read_dir(&keys)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(files, ["master.key"], "no draft stays behind");
        let mode = fs::metadata(keys.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(found.contains(&MasterKey::load_or_create(&keys).unwrap().0));
    }

    #[test]
    fn a_file_others_can_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        MasterKey::load_or_create(dir.path()).unwrap();
        let path = dir.path().join(FILE);
        for mode in [0o640, 0o604, 0o620, 0o644] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let message = MasterKey::load_or_create(dir.path())
                .unwrap_err()
                .to_string();
            assert!(
                message.contains(&format!("chmod 600 {}", path.display())),
                "{message}"
            );
        }
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        MasterKey::load_or_create(dir.path()).unwrap();
    }

    #[test]
    fn a_broken_file_is_named_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let message = MasterKey::load_or_create(dir.path())
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("master.key does not hold a master key"),
            "{message}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"");
    }
}
