import JSON

extension ServiceCommand {
  /// What a body says that says everything: over HTTP, a part of it stands in the path and the query.
  struct Said {
    /// What the command is about, by the names of its routes.
    let parameters: [String: String]
    /// What is left of the body; nil when nothing is.
    let body: JSON?
    /// Of the same command over HTTP: a key that comes over both wires is one command's.
    let digest: String
  }

  /// Reads such a body. The service's own thing may be called `id`, as answers call it, or by its full name.
  /// - Throws: a refusal that names every place where the body lacks or garbles what it is about.
  func read(_ body: JSONObject) throws(LabRefusal) -> Said {
    var places: [LabRefusal.Place] = []
    var rest = body
    /// Takes a member out of the body.
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
  /// The path with the parameters in their places.
  fileprivate func path(_ values: [String: String]) -> String {
    pattern.split(separator: "/").map { part in
      guard part.hasPrefix("{"), let value = values[String(part.dropFirst().dropLast())] else { return "/\(part)" }
      // So that no two paths are written alike.
      return "/" + value.replacing("%", with: "%25").replacing("/", with: "%2F")
    }.joined()
  }
}

extension LabService {
  /// What its commands and answers call the id of its own thing.
  var ownID: String {
    switch self {
    case .samples: "sampleId"
    case .storage: "allocationId"
    case .sequencing: "runId"
    case .notification: "messageId"
    }
  }
}
