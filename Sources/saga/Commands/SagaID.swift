import JSON
import Runtime
import Server
import Values
import Wire

extension Invocation {
  /// The id of the saga that an operand names: by its id or the beginning of it, as `WORKFLOW/KEY` by the key that has
  /// started it, or by a text that no other saga has.
  func sagaID(_ index: Int = 0) async throws -> String { try await sagaID(named: try required(index)) }

  func sagaID(named text: String) async throws -> String {
    if UniqueID(text) != nil { return text.lowercased() }
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard !text.isEmpty else { throw usage("an empty word is not a saga: write its id, or its key") }
    let lookup = SagaLookup(client: try client)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return try await lookup.id(of: text) }
    do {
      let saga: SagaResponse = try await client.get(.getSagaByKey, String(parts[0]), String(parts[1])).read()
      return saga.id
    } catch let refusal as APIRefusal where refusal.status == 404 {
      // A key, a barcode or a title may have a slash.
      do {
        return try await lookup.id(of: text)
      } catch let error as CLIError where error.code == CLIErrorCode.sagaUnknown {
        throw refusal
      }
    }
  }

  /// Prints a saga, or with status 202 the operation that waits for a second person.
  /// - Parameters:
  ///   - failedItems: some failed items, by the ids of their steps.
  ///   - pastEvent: the event after which the saga was so; nil for the present.
  func show(
    _ answer: EngineAnswer, failedItems: [String: [SagaResponse.Step]] = [:], pastEvent: Int? = nil
  ) throws {
    if answer.status == 202 {
      try showOperation(answer)
    } else if json {
      terminal.line(answer.json.text(.pretty))
    } else {
      let drawing = SagaDrawing(
        saga: try answer.read(), now: environment.now(), style: style, failedItems: failedItems,
        isUnfolded: command.name == "show" && arguments.has("all"), pastEvent: pastEvent)
      terminal.write(drawing.lines().map { $0 + "\n" }.joined())
    }
  }

  /// Returns JSON from the command line: the word itself, the content of a file, or standard input for `-`.
  func value(of text: String, option: String) throws -> JSON {
    let first = text.first { $0 != " " && $0 != "\n" }
    if text == "-" { return try json(of: "-") }
    if let first, "{[\"".contains(first) || ["true", "false", "null"].contains(text) || Double(text) != nil {
      return try JSON.located(Array(text.utf8), in: "--\(option)")
    }
    return try json(of: text)
  }
}

extension JSON {
  /// Sets a member by its dotted name (`patient.id`). Creates the objects that are missing.
  /// - Returns: false when a part of the name leads to a value that is not an object.
  mutating func set(_ names: ArraySlice<Substring>, to value: JSON) -> Bool {
    guard let name = names.first.map(String.init), case .object(var members) = self else { return false }
    if names.count == 1 {
      members[name] = value
    } else {
      var child = members[name] ?? .object([:])
      guard child.set(names.dropFirst(), to: value) else { return false }
      members[name] = child
    }
    self = .object(members)
    return true
  }
}
