public import HTTP
import JSON
public import Runtime
import Values

/// A client of a schema registry with Confluent's REST API. The registry gives every schema an id; messages carry the id.
///
/// An id never changes its meaning. So the client keeps answers in memory, and concurrent requests for one id make one
/// call.
public final class SchemaRegistry: Sendable {
  private struct Registration: Hashable {
    let subject: String
    let schema: String
  }

  private let calls: RegistryCalls
  private let compatibility: SchemaCompatibility?
  private let log: Log
  private let schemas = KeptAnswers<Int32, String>()
  private let registrations = KeptAnswers<Registration, Int32>()

  /// - Parameters:
  ///   - url: `http` or `https`, with a percent-encoded `user:password@` for basic authentication. No text shows those.
  ///   - compatibility: the compatibility level to set for each subject; nil leaves the subject's level unchanged.
  ///   - client: makes the calls.
  ///   - environment: the clock and the randomness of the backoff.
  ///   - log: receives a warning for each failed attempt.
  /// - Throws: `schema.registryInvalid` when the URL can't be used.
  public init(
    url: String, compatibility: SchemaCompatibility? = nil, client: HTTPClient, environment: Environment, log: Log
  ) throws(RegistryError) {
    calls = RegistryCalls(address: try RegistryAddress(url), client: client, environment: environment, log: log)
    self.compatibility = compatibility
    self.log = log
  }

  /// The registry's URL, without user and password.
  public var url: String { calls.address.base }

  /// Registers a JSON Schema under a subject and returns its id.
  ///
  /// A schema that the subject already has is not registered again, even when it isn't the latest: in a rolling upgrade an
  /// older node may find a subject with a newer schema. A new schema is checked against the latest first.
  /// - Throws: `schema.incompatible` with the registry's reasons, `schema.registryUnavailable`, `schema.registryRefused`.
  public func register(subject: String, schema: String) async throws(RegistryError) -> Int32 {
    try await registrations.value(Registration(subject: subject, schema: schema)) { [self] in
      do throws(RegistryError) {
        let id = try await ask(toRegister: schema, under: subject)
        schemas.keep(schema, for: id)
        return .success(id)
      } catch {
        return .failure(error)
      }
    }
  }

  /// Returns the JSON Schema with this id.
  /// - Throws: `schema.unknown` when the registry has no JSON Schema under it, `schema.registryUnavailable`,
  ///   `schema.registryRefused`.
  public func schema(id: Int32) async throws(RegistryError) -> String {
    try await schemas.value(id) { [self] in
      do throws(RegistryError) {
        return .success(try await ask(for: id))
      } catch {
        return .failure(error)
      }
    }
  }

  /// Returns the number of callers that wait for a schema.
  func waiting(forSchema id: Int32) -> Int { schemas.waiting(for: id) }

  // MARK: Requests

  private func ask(for id: Int32) async throws(RegistryError) -> String {
    let what = "a look at the schema \(id)"
    let answer = try await calls.send("GET", "/schemas/ids/\(id)")
    // Any other 404 comes from a server or a proxy without this path, and says nothing about the schema.
    if answer.status == 404, answer.errorCode == 40403 {
      throw RegistryError(
        code: RegistryErrorCode.schemaUnknown, message: "The schema registry at \(url) knows no schema \(id).")
    }
    guard answer.isSuccess else { throw calls.refusal(answer, of: what) }
    guard let schema = answer.json["schema"]?.stringValue else { throw calls.unreadable(of: what) }
    // The registry omits the type when it is AVRO.
    let type = answer.json["schemaType"]?.stringValue ?? "AVRO"
    guard type == "JSON" else {
      throw RegistryError(
        code: RegistryErrorCode.schemaUnknown,
        message: "The schema \(id) of the registry at \(url) is of the type \(type), not JSON.")
    }
    return schema
  }

  private func ask(toRegister schema: String, under subject: String) async throws(RegistryError) -> Int32 {
    let body: JSON = ["schemaType": "JSON", "schema": .string(schema)]
    let path = "/subjects/\(subject.percentEncoded)"
    // 1. Set the compatibility level before the first schema.
    if let compatibility { try await set(compatibility, of: subject) }
    // 2. Look whether the subject has the schema already.
    let found = try await calls.send("POST", path, body)
    if found.isSuccess { return try id(in: found, of: "a look under the subject “\(subject)”") }
    guard found.status == 404, found.errorCode == 40401 || found.errorCode == 40403 else {
      throw calls.refusal(found, of: "a look under the subject “\(subject)”")
    }
    // 3. Check it against the latest schema. Only this answer gives reasons, so it comes before the registration.
    try await check(body, under: subject)
    // 4. Register it. If two nodes do so at once, the registry gives both the same id.
    let answer = try await calls.send("POST", "\(path)/versions", body)
    if answer.status == 409 { throw incompatible(subject, [answer.said]) }
    guard answer.isSuccess else { throw calls.refusal(answer, of: "a schema under the subject “\(subject)”") }
    let id = try id(in: answer, of: "a schema under the subject “\(subject)”")
    log.info("Registered a schema", ("registry", url), ("subject", subject), ("id", "\(id)"))
    return id
  }

  private func set(_ compatibility: SchemaCompatibility, of subject: String) async throws(RegistryError) {
    let answer = try await calls.send(
      "PUT", "/config/\(subject.percentEncoded)", ["compatibility": .string(compatibility.rawValue)])
    guard answer.isSuccess else {
      throw calls.refusal(answer, of: "the compatibility \(compatibility.rawValue) for the subject “\(subject)”")
    }
  }

  private func check(_ body: JSON, under subject: String) async throws(RegistryError) {
    let what = "a check of a schema for the subject “\(subject)”"
    let answer = try await calls.send(
      "POST", "/compatibility/subjects/\(subject.percentEncoded)/versions/latest?verbose=true", body)
    // The subject is new, or all its versions were deleted.
    if answer.status == 404, answer.errorCode == 40401 || answer.errorCode == 40402 { return }
    guard answer.isSuccess else { throw calls.refusal(answer, of: what) }
    guard let isCompatible = answer.json["is_compatible"]?.boolValue else { throw calls.unreadable(of: what) }
    guard isCompatible else {
      throw incompatible(subject, (answer.json["messages"]?.arrayValue ?? []).compactMap(\.stringValue))
    }
  }

  private func id(in answer: RegistryCalls.Answer, of what: String) throws(RegistryError) -> Int32 {
    guard let id = answer.json["id"]?.intValue.flatMap(Int32.init(exactly:)) else { throw calls.unreadable(of: what) }
    return id
  }

  private func incompatible(_ subject: String, _ reasons: [String]) -> RegistryError {
    let reasons = reasons.isEmpty ? "It gave no reason." : reasons.map(\.shortened).joined(separator: " · ")
    return RegistryError(
      code: RegistryErrorCode.schemaIncompatible,
      message:
        "The registry at \(url) says that the schema is incompatible with the latest one of “\(subject)”: \(reasons)"
    )
  }
}
