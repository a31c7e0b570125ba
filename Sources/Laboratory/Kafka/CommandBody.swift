import JSON

extension ServiceCommand {
  /// The body of a command over Kafka, which contains the parameters that HTTP has in the path and the query.
  struct Said {
    /// The parameters, by their names in the routes.
    let parameters: [String: String]
    /// The rest of the body; nil when nothing is left.
    let body: JSON?
    /// The digest that the command has over HTTP, so that one key may come over both.
    let digest: String
  }

  /// Reads such a body. The id of the aggregate may be named `id`, as in answers, or by its full name.
  /// - Throws: a refusal that names every missing or wrong parameter.
  func read(_ body: JSONObject) throws(LabRefusal) -> Said {
    var places: [LabRefusal.Place] = []
    var rest = body
    /// Removes a member from the body and returns it.
    func take(_ name: String) -> String? {
      guard let value = rest[name] else { return nil }
      rest[name] = nil
      if value.isNull { return nil }
      if let text = value.stringValue ?? value.intValue.map(String.init) { return text }
      places.append(LabRefusal.Place(pointer: "/\(name)", message: "must be a string, not \(value.kind)"))
      return nil
    }
    var parameters: [String: String] = [:]
    for name in Set(routes.flatMap(\.parameters) + query) { parameters[name] = take(name) }
    if let id = take("id") {
      let own = service.ownID
      if let other = parameters.updateValue(id, forKey: own), other != id {
        places.append(LabRefusal.Place(pointer: "/id", message: "says \(id), and \(own) says \(other): name it once"))
      }
    }
    let route = routes.first { $0.parameters.allSatisfy { parameters[$0] != nil } }
    if route == nil {
      let always = routes.dropFirst().reduce(routes.first?.parameters ?? []) { names, route in
        names.filter(route.parameters.contains)
      }
      for name in always where parameters[name] == nil && !places.contains(where: { $0.pointer == "/\(name)" }) {
        places.append(LabRefusal.Place(pointer: "/\(name)", message: "is required"))
      }
    }
    guard places.isEmpty, let route else { throw .invalid(places) }
    let left: JSON? = rest.isEmpty ? nil : .object(rest)
    return Said(
      parameters: parameters, body: left,
      digest: CommandCall.digest(method: route.method, path: route.path(parameters), body: left))
  }
}

extension ServiceCommand.Route {
  /// Returns the path with the parameters filled in.
  fileprivate func path(_ values: [String: String]) -> String {
    pattern.split(separator: "/").map { part in
      guard part.hasPrefix("{"), let value = values[String(part.dropFirst().dropLast())] else { return "/\(part)" }
      // Escaped, so that two different paths never get the same text.
      return "/" + value.replacing("%", with: "%25").replacing("/", with: "%2F")
    }.joined()
  }
}

extension LabService {
  /// The name of the aggregate's id in commands and answers.
  var ownID: String {
    switch self {
    case .samples: "sampleId"
    case .storage: "allocationId"
    case .sequencing: "runId"
    case .notification: "messageId"
    case .accession: "requestId"
    case .qc: "reservationId"
    case .pipeline: "jobId"
    case .libraryPrep: "libraryId"
    case .pooling: "poolId"
    }
  }
}
