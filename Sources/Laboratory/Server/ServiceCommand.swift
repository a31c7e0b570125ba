import JSON
import Values

/// A command of a service: where HTTP finds it, and what it does.
///
/// Kafka finds the same by its name, and takes from the body what stands in the path or the query over HTTP, under the
/// names that these give it. So a command and its rules are written once, whatever wire it comes over.
struct ServiceCommand: Sendable {
  struct Route: Sendable {
    let method: String
    let pattern: String

    /// What the pattern names in braces, in order.
    var parameters: [String] {
      pattern.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }
  }

  let service: LabService
  /// As faults and Kafka name it.
  let name: String
  /// Over HTTP. A command that came another way is known as the first whose parameters it has.
  let routes: [Route]
  /// What stands in the query over HTTP.
  let query: [String]
  let carryOut: @Sendable (ReceivedCommand) async throws -> Answer

  /// - Parameter routes: as `PUT /allocations/{allocationId}`, below the service's own prefix; one at least.
  init(
    _ service: LabService, _ name: String, _ routes: String..., query: [String] = [],
    carryOut: @escaping @Sendable (ReceivedCommand) async throws -> Answer
  ) {
    self.service = service
    self.name = name
    self.routes = routes.map { text in
      let words = text.split(separator: " ")
      precondition(words.count == 2, "A route is a method and a path: \(text)")
      return Route(method: String(words[0]), pattern: "/\(service.rawValue)\(words[1])")
    }
    self.query = query
    self.carryOut = carryOut
  }

  /// Whether it takes back what another command did.
  var isUndo: Bool { routes.first?.method == "DELETE" }
}

/// A command as a service sees it.
struct ReceivedCommand: Sendable {
  let call: CommandCall
  let body: JSON?
  /// What it is about, by the names that the command's routes give: `sampleId`, `reason`.
  let parameters: [String: String]

  /// What `match` of a fault looks at.
  var texts: [String] { parameters.values + (body?.objectValue?.compactMap(\.value.stringValue) ?? []) }

  /// The id of this name, or, when none was sent, one that the key gives: the same for every repeat.
  func id(_ name: String) throws(LabRefusal) -> UniqueID {
    guard let text = parameters[name] else { return .derived(from: "\(call.service.rawValue)/\(call.key)") }
    guard let id = UniqueID(text) else { throw CommandGate.notAnID(text) }
    return id
  }
}

/// What a command came to, when it wasn't refused.
enum CommandOutcome: Sendable, Equatable {
  case answered(Answer)
  /// A fault took the answer; the command took effect.
  case answerDropped
  /// A fault took the command: nothing happened, and nobody answers.
  case withheld
}
