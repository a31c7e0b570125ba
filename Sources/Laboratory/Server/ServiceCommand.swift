import JSON
import Values

/// A command of a service: its HTTP routes, its name for Kafka, and its code.
///
/// Over Kafka a command is found by its name. The members that the path or the query has over HTTP are then in the body,
/// under the same names. So a command and its rules are written once for both.
struct ServiceCommand: Sendable {
  struct Route: Sendable {
    let method: String
    let pattern: String

    /// The names in braces in the pattern, in order.
    var parameters: [String] {
      pattern.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }
  }

  let service: LabService
  /// The name for faults and Kafka.
  let name: String
  /// The HTTP routes. A command over Kafka counts as the first route whose parameters it has.
  let routes: [Route]
  /// The names of the query's parameters over HTTP.
  let query: [String]
  let carryOut: @Sendable (ReceivedCommand) async throws -> Answer

  /// - Parameter routes: at least one, such as `PUT /allocations/{allocationId}`, below the service's prefix.
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

  /// Whether the command undoes another command.
  var isUndo: Bool { routes.first?.method == "DELETE" }
}

/// A command that a service receives.
struct ReceivedCommand: Sendable {
  let call: CommandCall
  let body: JSON?
  /// The parameters of path and query by their names in the routes: `sampleId`, `reason`.
  let parameters: [String: String]

  /// The texts that a fault's `match` compares.
  var texts: [String] { parameters.values + (body?.objectValue?.compactMap(\.value.stringValue) ?? []) }

  /// Returns the id with this name. When none was sent, returns an id derived from the key, the same for every repeat.
  func id(_ name: String) throws(LabRefusal) -> UniqueID {
    guard let text = parameters[name] else { return .derived(from: "\(call.service.rawValue)/\(call.key)") }
    guard let id = UniqueID(text) else { throw CommandGate.notAnID(text) }
    return id
  }
}

/// The outcome of a command that was not refused.
enum CommandOutcome: Sendable, Equatable {
  case answered(Answer)
  /// The command took effect, and a fault dropped the answer.
  case answerDropped
  /// A fault stopped the command: it had no effect and gets no answer.
  case withheld
}
