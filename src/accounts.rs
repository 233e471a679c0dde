//! The one way in for people: passwords, second factors, sessions, lockout. Web and commands both come through here.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::db::{self, FieldVault, NewUser, Session, User};
use crate::keys::{Purpose, WaveKey};
use crate::people::secrets::{self, SecretError};
use crate::people::{Person, Reach, Role};

/// How long a session lasts; ODK Central's are as long.
const SESSION: TimeDelta = TimeDelta::hours(24);

/// Why somebody was not let in or an account was not changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// One message for every cause: who guesses learns nothing.
    #[error(
        "tên đăng nhập, mật khẩu hoặc mã xác thực không đúng, hoặc tài khoản đang tạm khóa (the login, password or code is wrong, or the account is locked for a while)"
    )]
    Refused,
    #[error(
        "mật khẩu do người khác cấp; hãy đổi mật khẩu trước (the password was given by somebody else; change it first)"
    )]
    MustChange,
    #[error("không có tài khoản {login} (there is no account {login}); see `langnghe user list`")]
    Unknown { login: String },
    #[error("đã có tài khoản {login} (there is already an account {login})")]
    Exists { login: String },
    #[error(
        "tên đăng nhập `{login}` không hợp lệ: 2–100 chữ cái không dấu, chữ số hoặc . _ - @ + (the login is not valid: 2–100 letters without diacritics, digits or . _ - @ +)"
    )]
    Login { login: String },
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Vault(#[from] db::Error),
}

/// A person who signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub token: String,
    pub user: User,
    pub session: Session,
}

/// Accounts on the field vault; second factors are sealed under the installation's key.
#[derive(Clone)]
pub struct Accounts {
    field: FieldVault,
    seal: Arc<WaveKey>,
}

impl Accounts {
    pub fn new(field: FieldVault, seal: Arc<WaveKey>) -> Self {
        Self { field, seal }
    }

    /// Adds an account with a password that its owner chose.
    pub fn add(
        &self,
        login: &str,
        role: Role,
        reach: Reach,
        password: &str,
        now: DateTime<Utc>,
    ) -> Result<User, AccountError> {
        self.create((login, role, reach), password, false, now)
    }

    /// Adds an account with a password that somebody else chose: it opens nothing but its own change.
    pub fn invite(
        &self,
        login: &str,
        role: Role,
        reach: Reach,
        password: &str,
        now: DateTime<Utc>,
    ) -> Result<User, AccountError> {
        self.create((login, role, reach), password, true, now)
    }

    fn create(
        &self,
        (login, role, reach): (&str, Role, Reach),
        password: &str,
        must_change: bool,
        now: DateTime<Utc>,
    ) -> Result<User, AccountError> {
        let login = normal_login(login)?;
        secrets::check_password(&login, password)?;
        let password = secrets::hash_password(password)?;
        self.field.transaction(|db| {
            if db.find_user(&login)?.is_some() {
                return Err(AccountError::Exists { login: login.clone() });
            }
            let new = NewUser { login: login.clone(), role, reach, password, must_change };
            Ok(db.create_user(new, now)?)
        })
    }

    pub fn list(&self) -> Result<Vec<User>, AccountError> {
        Ok(self.field.read(|db| db.list_users())?)
    }

    pub fn find(&self, login: &str) -> Result<User, AccountError> {
        let unknown = || AccountError::Unknown { login: login.to_owned() };
        let normal = normal_login(login).map_err(|_| unknown())?;
        self.field.read(|db| db.find_user(&normal))?.ok_or_else(unknown)
    }

    pub fn find_by_number(&self, id: i64) -> Result<Option<User>, AccountError> {
        Ok(self.field.read(|db| db.find_user_by_number(id))?)
    }

    /// The rights of an account, as far as a password alone carries them.
    pub fn find_person_of(&self, login: &str) -> Result<Option<Person>, AccountError> {
        match self.find(login) {
            Ok(user) => Ok(Some(person(&user, false))),
            Err(AccountError::Unknown { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The account opens nothing from now on; its sessions end.
    pub fn disable(&self, login: &str) -> Result<(), AccountError> {
        let user = self.find(login)?;
        Ok(self.field.transaction(|db| db.disable_user(user.id))?)
    }

    /// A password given by a second person: it opens nothing but its own change.
    pub fn reset(&self, login: &str, password: &str) -> Result<(), AccountError> {
        let user = self.find(login)?;
        secrets::check_password(&user.login, password)?;
        let hash = secrets::hash_password(password)?;
        Ok(self.field.transaction(|db| db.set_password(user.id, &hash, true))?)
    }

    /// Changes one's own password; every session ends.
    pub fn change_password(
        &self,
        login: &str,
        old: &str,
        new: &str,
        now: DateTime<Utc>,
    ) -> Result<(), AccountError> {
        let user = self.prove_password(login, old, now)?;
        secrets::check_password(&user.login, new)?;
        let hash = secrets::hash_password(new)?;
        Ok(self.field.transaction(|db| db.set_password(user.id, &hash, false))?)
    }

    /// A new second factor: its secret in base32 and the address that authenticators read. It replaces an earlier one.
    pub fn renew_second_factor(&self, login: &str) -> Result<(String, String), AccountError> {
        let user = self.find(login)?;
        let secret = secrets::new_second_factor()?;
        let sealed =
            self.seal.seal(Purpose::SecondFactor, &place(user.id), &secret).map_err(db::Error::from)?;
        self.field.transaction(|db| db.set_second_factor(user.id, Some(&sealed)))?;
        Ok(secrets::second_factor_address(&secret, &user.login))
    }

    /// Signs in. Without a code the session has no second factor, and what needs one stays shut.
    pub fn sign_in(
        &self,
        login: &str,
        password: &str,
        code: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<SignedIn, AccountError> {
        let user = self.prove_password(login, password, now)?;
        let second_factor = match code {
            Some(code) => self.prove_second_factor(&user, code, now)?,
            None => false,
        };
        if user.must_change {
            return Err(AccountError::MustChange);
        }
        let token = secrets::new_token()?;
        let session = Session { user: user.id, second_factor, created_at: now, expires_at: now + SESSION };
        self.field.transaction(|db| {
            db.forget_failures(user.id)?;
            db.delete_expired_sessions(now)?;
            db.create_session(&token, &session)
        })?;
        Ok(SignedIn { token, user, session })
    }

    /// Proves both factors for one act, without a session (rule 7's approver).
    pub fn approve(
        &self,
        login: &str,
        password: &str,
        code: &str,
        now: DateTime<Utc>,
    ) -> Result<Person, AccountError> {
        let user = self.prove_password(login, password, now)?;
        self.prove_second_factor(&user, code, now)?;
        if user.must_change {
            return Err(AccountError::MustChange);
        }
        self.field.transaction(|db| db.forget_failures(user.id))?;
        Ok(person(&user, true))
    }

    /// A fresh token in the place of this one, which ends; the session does not last longer by it. With a code the second
    /// factor is proved from now on: a right that grows gets a token that nobody saw before.
    pub fn rotate(
        &self,
        token: &str,
        code: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<SignedIn, AccountError> {
        let (user, _, mut session) = self.find_signed_in(token, now)?.ok_or(AccountError::Refused)?;
        if let Some(code) = code {
            if user.locked_until.is_some_and(|until| until > now) {
                return Err(AccountError::Refused);
            }
            session.second_factor = self.prove_second_factor(&user, code, now)?;
        }
        let fresh = secrets::new_token()?;
        if !self.field.transaction(|db| db.replace_session(token, &fresh, &session))? {
            return Err(AccountError::Refused);
        }
        Ok(SignedIn { token: fresh, user, session })
    }

    /// Who holds this token, if the session lasts and the account is not disabled.
    pub fn find_person(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<(User, Person)>, AccountError> {
        Ok(self.find_signed_in(token, now)?.map(|(user, person, _)| (user, person)))
    }

    /// The same, with the session.
    pub fn find_signed_in(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<(User, Person, Session)>, AccountError> {
        let found = self.field.read(|db| {
            let Some(session) = db.find_session(token, now)? else { return Ok(None) };
            Ok::<_, db::Error>(db.find_user_by_number(session.user)?.map(|user| (user, session)))
        })?;
        Ok(found.filter(|(user, _)| !user.disabled).map(|(user, session)| {
            let person = person(&user, session.second_factor);
            (user, person, session)
        }))
    }

    /// Who this login and password are, for one request without a session.
    pub fn find_by_password(
        &self,
        login: &str,
        password: &str,
        now: DateTime<Utc>,
    ) -> Result<(User, Person), AccountError> {
        let user = self.prove_password(login, password, now)?;
        if user.must_change {
            return Err(AccountError::MustChange);
        }
        let person = person(&user, false);
        Ok((user, person))
    }

    pub fn sign_out(&self, token: &str) -> Result<(), AccountError> {
        Ok(self.field.transaction(|db| db.delete_session(token))?)
    }

    fn prove_password(&self, login: &str, password: &str, now: DateTime<Utc>) -> Result<User, AccountError> {
        let user = match normal_login(login) {
            Ok(login) => self.field.read(|db| db.find_user(&login))?,
            Err(_) => None,
        };
        // The slow hash is computed in every case, so that time does not tell which logins exist.
        let right = secrets::verify_password(password, user.as_ref().map(|user| user.password.as_str()));
        let Some(user) = user else { return Err(AccountError::Refused) };
        if user.disabled || user.locked_until.is_some_and(|until| until > now) {
            return Err(AccountError::Refused);
        }
        if !right {
            self.field.transaction(|db| db.note_failure(user.id, now))?;
            return Err(AccountError::Refused);
        }
        Ok(user)
    }

    fn prove_second_factor(&self, user: &User, code: &str, now: DateTime<Utc>) -> Result<bool, AccountError> {
        let refused = || {
            self.field.transaction(|db| db.note_failure(user.id, now))?;
            Err(AccountError::Refused)
        };
        let Some(sealed) = &user.second_factor else { return refused() };
        let secret =
            self.seal.open(Purpose::SecondFactor, &place(user.id), sealed).map_err(db::Error::from)?;
        match secrets::check_second_factor(&secret, code, user.second_factor_step, now.timestamp())? {
            Some(step) if self.field.transaction(|db| db.use_second_factor(user.id, step))? => Ok(true),
            _ => refused(),
        }
    }
}

/// The rights of a user in a session.
fn person(user: &User, second_factor: bool) -> Person {
    Person { id: user.id, role: user.role, reach: user.reach.clone(), second_factor }
}

/// Where a second factor is sealed: it opens for this user alone.
fn place(user: i64) -> Vec<u8> {
    format!("second factor of user {user}").into_bytes()
}

/// Logins are compared in lower case.
fn normal_login(login: &str) -> Result<String, AccountError> {
    let normal = login.trim().to_lowercase();
    let letters = normal.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@+".contains(&b));
    if letters && (2..=100).contains(&normal.len()) {
        Ok(normal)
    } else {
        Err(AccountError::Login { login: login.to_owned() })
    }
}
