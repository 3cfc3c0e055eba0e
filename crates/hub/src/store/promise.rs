//! What an upload says of its own content, and whether what has arrived is that.

use s3s::{
    checksum::ChecksumHasher,
    dto::{Checksum, PutObjectInput},
};

/// What an upload says of its own content.
pub(super) struct Promise {
    pub(super) asked: ChecksumHasher,
    pub(super) sha256: Option<String>,
    pub(super) length: Option<u64>,
}

impl Promise {
    /// What `input` says; `signed`: the sum of its content that its signature covers.
    pub(super) fn of(input: &PutObjectInput, signed: Option<&str>) -> Self {
        let named = input.checksum_algorithm.as_ref().map_or("", |a| a.as_str());
        let mut asked = ChecksumHasher::default();
        if input.checksum_crc32.is_some() || named == "CRC32" {
            asked.crc32 = Some(s3s::crypto::Crc32::default());
        }
        if input.checksum_crc32c.is_some() || named == "CRC32C" {
            asked.crc32c = Some(s3s::crypto::Crc32c::default());
        }
        if input.checksum_sha1.is_some() || named == "SHA1" {
            asked.sha1 = Some(s3s::crypto::Sha1::default());
        }
        if input.checksum_sha256.is_some() || named == "SHA256" {
            asked.sha256 = Some(s3s::crypto::Sha256::default());
        }
        if input.checksum_crc64nvme.is_some() || named == "CRC64NVME" {
            asked.crc64nvme = Some(s3s::crypto::Crc64Nvme::default());
        }
        Self {
            asked,
            sha256: signed.filter(|text| text.len() == 64).map(str::to_owned),
            length: input
                .content_length
                .and_then(|length| length.try_into().ok()),
        }
    }
}

/// Compares the sums that came with the request, in head or trailer, with those of what has arrived.
pub(super) fn sums_fit(
    input: &PutObjectInput,
    trailer: Option<&axum::http::HeaderMap>,
    sums: &Checksum,
) -> bool {
    let fits = |promised: &Option<String>, name: &str, found: &Option<String>| {
        let later = || trailer?.get(name)?.to_str().ok().map(str::to_owned);
        match promised.clone().or_else(later) {
            Some(promised) => found.as_ref() == Some(&promised),
            None => true,
        }
    };
    fits(
        &input.checksum_crc32,
        "x-amz-checksum-crc32",
        &sums.checksum_crc32,
    ) && fits(
        &input.checksum_crc32c,
        "x-amz-checksum-crc32c",
        &sums.checksum_crc32c,
    ) && fits(
        &input.checksum_sha1,
        "x-amz-checksum-sha1",
        &sums.checksum_sha1,
    ) && fits(
        &input.checksum_sha256,
        "x-amz-checksum-sha256",
        &sums.checksum_sha256,
    ) && fits(
        &input.checksum_crc64nvme,
        "x-amz-checksum-crc64nvme",
        &sums.checksum_crc64nvme,
    )
}
