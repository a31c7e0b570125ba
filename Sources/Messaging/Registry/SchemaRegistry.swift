public import HTTP
import JSON
public import Runtime
import Values

/// A schema registry that speaks Confluent's REST API. It gives every schema a number; messages carry the number.
///
/// A number never changes its meaning, so what was asked once is kept in memory, and many who ask at once make one call.
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
  ///   - url: `http` or `https`, with `user:password@` for basic authentication, percent-encoded. They are shown nowhere.
  ///   - compatibility: what the registry is to ask of a subject's next schema. Nil leaves the subject as it is set.
  ///   - client: makes the calls.
  ///   - environment: its clock times what is tried again.
  ///   - log: is told what failed and is tried again.
  /// - Throws: `schema.registryInvalid` when the URL can't be used.
  public init(
    url: String, compatibility: SchemaCompatibility? = nil, client: HTTPClient, environment: Environment, log: Log
  ) throws(RegistryError) {
    calls = RegistryCalls(address: try RegistryAddress(url), client: client, environment: environment, log: log)
    self.compatibility = compatibility
    self.log = log
  }

  /// Where it is, without user and password.
  public var url: String { calls.address.base }

  /// Makes sure that a JSON Schema stands under a subject, and gives its id.
  ///
  /// A schema that stands there already is taken as it is, also when it isn't the latest: in a rolling upgrade an older
  /// node comes back to a subject that has moved on. A new one is checked against the latest first.
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

  /// The JSON Schema of an id.
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

  /// How many wait for a schema.
  func waiting(forSchema id: Int32) -> Int { schemas.waiting(for: id) }

  // MARK: Asking

  private func ask(for id: Int32) async throws(RegistryError) -> String {
    let what = "a look at the schema \(id)"
    let answer = try await calls.send("GET", "/schemas/ids/\(id)")
    // Any other 404 is of a server or a proxy that has no such address: nothing is known of the schema then.
    if answer.status == 404, answer.errorCode == 40403 {
      throw RegistryError(
        code: RegistryErrorCode.schemaUnknown, message: "The schema registry at \(url) knows no schema \(id).")
    }
    guard answer.isSuccess else { throw calls.refusal(answer, of: what) }
    guard let schema = answer.json["schema"]?.stringValue else { throw calls.unreadable(of: what) }
    // The registry leaves out the type that was its first.
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
    // 1. What the registry asks of the subject's next schema, before it is asked for one.
    if let compatibility { try await set(compatibility, of: subject) }
    // 2. Is it there already?
    let found = try await calls.send("POST", path, body)
    if found.isSuccess { return try id(in: found, of: "a look under the subject “\(subject)”") }
    guard found.status == 404, found.errorCode == 40401 || found.errorCode == 40403 else {
      throw calls.refusal(found, of: "a look under the subject “\(subject)”")
    }
    // 3. Does it go with the latest one? Asked first, as only this answer says why not.
    try await check(body, under: subject)
    // 4. Two nodes may come here at once: the registry gives both the same id.
    let answer = try await calls.send("POST", "\(path)/versions", body)
    if answer.status == 409 { throw incompatible(subject, [answer.said]) }
    guard answer.isSuccess else { throw calls.refusal(answer, of: "a schema under the subject “\(subject)”") }
    let id = try id(in: answer, of: "a schema under the subject “\(subject)”")
    log.info("A schema is registered", ("registry", url), ("subject", subject), ("id", "\(id)"))
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
      message: "The schema doesn't go with the latest one under “\(subject)”, says the registry at \(url): \(reasons)")
  }
}
