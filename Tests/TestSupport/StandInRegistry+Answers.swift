import HTTP
import JSON

extension StandInRegistry.State {
  mutating func put(_ schema: String, _ type: String, under subject: String) -> Int {
    let id =
      schemas.firstIndex { $0.type == type && Self.isSame($0.text, schema) }.map { $0 + 1 }
      ?? {
        schemas.append((type, schema))
        return schemas.count
      }()
    if subjects[subject]?.contains(id) != true { subjects[subject, default: []].append(id) }
    return id
  }

  mutating func answer(_ request: HTTPServerRequest) -> HTTPServerResponse {
    let body = (try? JSON(parsing: request.body)) ?? .null
    switch (request.method, request.segments) {
    case ("GET", let path) where path.count == 3 && path[0] == "schemas" && path[1] == "ids":
      return schema(path[2])
    case ("POST", let path) where path.count == 2 && path[0] == "subjects":
      return withSchema(body) { find($0, under: path[1]) }
    case ("POST", let path) where path.count == 3 && path[0] == "subjects" && path[2] == "versions":
      return withSchema(body) { register($0, under: path[1]) }
    case ("POST", let path) where path.count == 5 && path[0] == "compatibility" && path[4] == "latest":
      return withSchema(body) { check($0, under: path[2], isVerbose: request.query("verbose") == "true") }
    case ("PUT", let path) where path.count == 2 && path[0] == "config":
      return set(body["compatibility"]?.stringValue ?? "", of: path[1])
    default: return Self.ok(["error_code": 404, "message": "HTTP 404 Not Found"], status: 404)
    }
  }

  private func schema(_ text: String) -> HTTPServerResponse {
    guard let id = Int(text), schemas.indices.contains(id - 1) else {
      return StandInRegistry.error(40403, "Schema \(text) not found")
    }
    var answer: JSONObject = ["schema": .string(schemas[id - 1].text)]
    // As the real one does: the type that was its first goes without saying.
    if schemas[id - 1].type != "AVRO" { answer["schemaType"] = .string(schemas[id - 1].type) }
    return Self.ok(.object(answer))
  }

  private func find(_ schema: String, under subject: String) -> HTTPServerResponse {
    guard let versions = subjects[subject] else {
      return StandInRegistry.error(40401, "Subject '\(subject)' not found.")
    }
    guard let index = versions.firstIndex(where: { Self.isSame(schemas[$0 - 1].text, schema) }) else {
      return StandInRegistry.error(40403, "Schema not found")
    }
    return Self.ok([
      "subject": .string(subject), "id": .int(versions[index]), "version": .int(index + 1), "schemaType": "JSON",
      "schema": .string(schemas[versions[index] - 1].text),
    ])
  }

  private mutating func register(_ schema: String, under subject: String) -> HTTPServerResponse {
    let known = subjects[subject]?.first { Self.isSame(schemas[$0 - 1].text, schema) }
    let reasons = known == nil ? incompatibilities(of: schema, under: subject) : []
    guard reasons.isEmpty else {
      return StandInRegistry.error(
        409,
        "Schema being registered is incompatible with an earlier schema for subject \"\(subject)\", details: \(reasons)"
      )
    }
    return Self.ok(["id": .int(put(schema, "JSON", under: subject))])
  }

  private func check(_ schema: String, under subject: String, isVerbose: Bool) -> HTTPServerResponse {
    guard subjects[subject] != nil else {
      return StandInRegistry.error(40401, "Subject '\(subject)' not found.")
    }
    let reasons = incompatibilities(of: schema, under: subject)
    var answer: JSONObject = ["is_compatible": .bool(reasons.isEmpty)]
    if isVerbose { answer["messages"] = .array(reasons.map(JSON.string)) }
    return Self.ok(.object(answer))
  }

  private mutating func set(_ level: String, of subject: String) -> HTTPServerResponse {
    guard ["NONE", "BACKWARD"].contains(level) else {
      return StandInRegistry.error(42203, "Invalid compatibility level. The stand-in knows NONE and BACKWARD.")
    }
    levels[subject] = level
    return Self.ok(["compatibility": .string(level)])
  }

  private func incompatibilities(of schema: String, under subject: String) -> [String] {
    guard levels[subject] != "NONE", let latest = subjects[subject]?.last,
      let old = try? JSON(parsing: schemas[latest - 1].text), let new = try? JSON(parsing: schema)
    else { return [] }
    return BackwardCheck.problems(from: old, to: new)
  }

  private func withSchema(_ body: JSON, _ use: (String) -> HTTPServerResponse) -> HTTPServerResponse {
    guard let schema = body["schema"]?.stringValue, body["schemaType"] == "JSON",
      let parsed = try? JSON(parsing: schema), parsed.objectValue != nil || parsed.boolValue != nil
    else { return StandInRegistry.error(42201, "Invalid schema of type JSON") }
    return use(schema)
  }

  private static func isSame(_ left: String, _ right: String) -> Bool {
    if left == right { return true }
    guard let left = try? JSON(parsing: left), let right = try? JSON(parsing: right) else { return false }
    return left == right
  }

  private static func ok(_ body: JSON, status: Int = 200) -> HTTPServerResponse {
    .bytes(body.bytes(), type: StandInRegistry.mediaType, status: status)
  }
}
