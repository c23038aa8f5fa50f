use std::collections::TryReserveError;

use argon2::password_hash::phc::{self, Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

use super::memory::HashMemory;
use crate::HashCost;

/// The most memory that a stored hash may cost: 1 GiB, as much as the dearest recommendation of
/// RFC 9106 for anything but a machine of one's own. New hashes may cost more where that is configured.
const MAX_STORED_KIB: usize = 1024 * 1024;

const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

/// Why a password cannot be hashed, or not be compared with a hash.
#[derive(Debug, thiserror::Error)]
pub(super) enum HashError {
    #[error("the stored hash is damaged")]
    Format(#[from] phc::Error),
    #[error("the stored hash is not one of Argon2")]
    Foreign(#[source] argon2::password_hash::Error),
    #[error("the stored hash has no salt or no output")]
    Incomplete,
    #[error("the stored hash costs {0} KiB of memory, more than {MAX_STORED_KIB} KiB")]
    TooCostly(usize),
    #[error("the password could not be hashed")]
    Argon2(#[from] argon2::Error),
    #[error("there is no memory to hash a password")]
    Memory(#[from] TryReserveError),
    #[error("the system gives no random bytes")]
    Random(#[from] getrandom::Error),
}

/// The parameters of new hashes.
pub(super) fn parameters(
    HashCost { memory_kib, passes }: HashCost,
) -> Result<Params, argon2::Error> {
    Params::new(memory_kib, passes, 1, Some(OUTPUT_BYTES))
}

/// The Argon2id hash of a password, in PHC string format, with a new salt.
pub(super) fn hash(
    password: &SecretString,
    cost: HashCost,
    memory: &mut HashMemory,
) -> Result<SecretString, HashError> {
    let params = parameters(cost)?;
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt)?;
    let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(&params).map_err(HashError::Foreign)?,
        salt: Some(Salt::new(&salt)?),
        hash: Some(compute(&Argon2::new(algorithm, version, params), password, &salt, memory)?),
    };
    Ok(hash.to_string().into())
}

/// Whether the hash is that of the password, at the cost that the hash was made with. Compares in
/// constant time.
pub(super) fn verify(
    password: &SecretString,
    hash: &SecretString,
    memory: &mut HashMemory,
) -> Result<bool, HashError> {
    let hash = PasswordHash::new(hash.expose_secret())?;
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
        return Err(HashError::Incomplete);
    };
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(HashError::Foreign)?;
    let version = hash.version.map(Version::try_from).transpose()?.unwrap_or_default();
    let params = Params::try_from(&hash).map_err(HashError::Foreign)?;
    if params.block_count() > MAX_STORED_KIB.max(memory.kept()) {
        return Err(HashError::TooCostly(params.block_count()));
    }
    let computed = compute(&Argon2::new(algorithm, version, params), password, salt, memory)?;
    Ok(computed == *expected)
}

fn compute(
    argon2: &Argon2<'_>,
    password: &SecretString,
    salt: &[u8],
    memory: &mut HashMemory,
) -> Result<Output, HashError> {
    let length = argon2.params().output_len().unwrap_or(OUTPUT_BYTES);
    let mut buffer = [0; Output::MAX_LENGTH];
    let output = buffer.get_mut(..length).ok_or(argon2::Error::OutputTooLong)?;
    let password = password.expose_secret().as_bytes();
    memory.lend(argon2.params().block_count(), |blocks| {
        argon2.hash_password_into_with_memory(password, salt, output, blocks)
    })??;
    Ok(Output::new(&buffer[..length])?)
}

/// A well-formed hash of nothing. It is written rather than computed, since it is only needed for
/// its cost.
pub(super) fn decoy(HashCost { memory_kib, passes }: HashCost) -> SecretString {
    let salt = STANDARD_NO_PAD.encode([0; SALT_BYTES]);
    let output = STANDARD_NO_PAD.encode([0; OUTPUT_BYTES]);
    format!("$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${output}").into()
}
