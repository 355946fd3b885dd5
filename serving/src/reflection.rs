//! gRPC reflection, version 1 and the older one.

use tonic_reflection::server::Builder;
use tonic_reflection::server::{v1, v1alpha};

/// Reflection as both generations of clients ask for it.
#[derive(Debug)]
pub struct Reflection<V1, Older> {
    /// `grpc.reflection.v1`.
    pub v1: V1,
    /// `grpc.reflection.v1alpha`: what grpcurl before 1.9 and grpcio's own client ask for.
    pub v1alpha: Older,
}

/// Tells of `services` (full names) and of health. The descriptors are of all packages; what is not served is not told.
///
/// # Errors
/// If the descriptors cannot be read, which only a broken build brings about.
pub fn reflection(
    services: &[&str],
) -> Result<
    Reflection<
        v1::ServerReflectionServer<impl v1::ServerReflection + use<>>,
        v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection + use<>>,
    >,
    String,
> {
    let of = || {
        let builder = Builder::configure()
            .register_encoded_file_descriptor_set(acumen_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        services.iter().fold(builder, |builder, name| builder.with_service_name(*name))
    };
    Ok(Reflection {
        v1: of().build_v1().map_err(|error| error.to_string())?,
        v1alpha: of().build_v1alpha().map_err(|error| error.to_string())?,
    })
}
