import JSON
import Runtime
import Server
import Values
import Wire

/// Finds the saga that a person means: by the beginning of its id, its key, a label, its title, a tag, or a text of its
/// input, as a barcode.
///
/// The engine's routes take ids alone. So the command line searches the list first, and then sends the id.
struct SagaLookup {
  let client: APIClient

  /// The most pages of the list that are read. A search with few matches may have empty pages.
  private static let mostPages = 10
  /// The most candidates that an error names.
  private static let mostNamed = 10
  /// The most sagas whose input is read, to find a text in it.
  private static let mostInputs = 20
  /// The fewest characters of an id that are looked up.
  private static let shortest = 4

  /// - Returns: the id of the one saga that the text names.
  /// - Throws: `CLIError` `cli.sagaUnknown` or `cli.sagaAmbiguous`, which names the candidates.
  func id(of text: String) async throws -> String {
    if let label = Self.label(text) {
      do {
        let found = try await list([("label", label)]).sagas
        if !found.isEmpty { return try one(of: found, text) }
      } catch let refusal as APIRefusal where refusal.status == 400 {
        // No label has this form. A key or a title may have it.
      }
    }
    let byKey = try await list([("key", text)]).sagas
    if !byKey.isEmpty { return try one(of: byKey, text) }
    // The engine refuses a search without a letter or a digit, and one of more than eight words.
    let words = text.split(whereSeparator: \.isWhitespace).count
    guard text.contains(where: { $0.isLetter || $0.isNumber }), (1...8).contains(words) else {
      throw unknown(text, near: [])
    }
    let (near, isComplete) = try await list([("q", text)])
    let exact = near.filter { Self.names(text, $0) }
    if !exact.isEmpty {
      guard isComplete else { throw ambiguous(exact, text, isComplete: false) }
      return try one(of: exact, text)
    }
    if isComplete, near.count <= Self.mostInputs {
      var found: [SagaSummary] = []
      for saga in near {
        let whole: SagaResponse = try await client.get(.getSaga, saga.id).readUnchanged()
        if Self.holds(whole.input, text) { found.append(saga) }
      }
      if !found.isEmpty { return try one(of: found, text) }
    }
    throw unknown(text, near: near)
  }

  /// Returns what `NAME=VALUE` is for the list's filter; nil for another text.
  private static func label(_ text: String) -> String? {
    guard let sign = text.firstIndex(of: "="), sign != text.startIndex else { return nil }
    let name = text[..<sign]
    guard
      name.unicodeScalars.allSatisfy({
        $0.isASCII && ($0.properties.isAlphabetic || "-_0123456789".unicodeScalars.contains($0))
      })
    else { return nil }
    return "\(name):\(text[text.index(after: sign)...])"
  }

  /// Whether the text is the beginning of the saga's id, or exactly its title, a label's value, or a tag.
  private static func names(_ text: String, _ saga: SagaSummary) -> Bool {
    isBeginning(text, of: saga.id) || saga.title == text || saga.tags.contains(text)
      || saga.labels.contains { $0.value == text }
  }

  private static func isBeginning(_ text: String, of id: String) -> Bool {
    text.count >= shortest && id.hasPrefix(text.lowercased())
  }

  private static func holds(_ value: JSON, _ text: String) -> Bool {
    switch value {
    case .string(let string): string == text
    case .number(let number): number.text == text
    case .array(let values): values.contains { holds($0, text) }
    case .object(let members): members.contains { holds($0.value, text) }
    case .bool, .null: false
    }
  }

  /// Returns the sagas of a list, and whether these are all.
  private func list(_ filter: [(name: String, value: String)]) async throws -> (sagas: [SagaSummary], isComplete: Bool)
  {
    var sagas: [SagaSummary] = []
    var cursor: String?
    for _ in 0..<Self.mostPages {
      let query = filter + [("limit", "200")] + (cursor.map { [("cursor", $0)] } ?? [])
      let page: SagaListResponse = try await client.get(.listSagas, query: query).readUnchanged()
      sagas += page.sagas
      cursor = page.next
      if cursor == nil { return (sagas, true) }
    }
    return (sagas, false)
  }

  private func one(of sagas: [SagaSummary], _ text: String) throws(CLIError) -> String {
    guard sagas.count == 1, let saga = sagas.first else { throw ambiguous(sagas, text, isComplete: true) }
    return saga.id
  }

  private func ambiguous(_ sagas: [SagaSummary], _ text: String, isComplete: Bool) -> CLIError {
    CLIError(
      CLIErrorCode.sagaAmbiguous,
      "\"\(Layout.printable(text))\" names \(isComplete ? "" : "more than ")\(FileReport.count(sagas.count, "saga"))",
      advice: Self.lines(of: sagas) + ["Write more of the id of the one that you mean."])
  }

  private func unknown(_ text: String, near: [SagaSummary]) -> CLIError {
    let found = near.isEmpty ? [] : ["Sagas with words that begin like it:"] + Self.lines(of: near)
    return CLIError(
      CLIErrorCode.sagaUnknown,
      "no saga has the id, key, label, title, tag or input \"\(Layout.printable(text))\"",
      advice: found + ["`saga list --q TEXT` searches. Lists may be a little behind: `saga projections`."])
  }

  private static func lines(of sagas: [SagaSummary]) -> [String] {
    let width = ShortID.width(of: sagas.prefix(mostNamed).map(\.id))
    let lines = sagas.prefix(mostNamed).map { saga in
      let name = Layout.printable(saga.title ?? saga.key ?? saga.labels.first.map { "\($0.name)=\($0.value)" } ?? "")
      let words = [saga.id.prefix(width).description, saga.status, Layout.printable(saga.workflow), name]
      return Layout.clip(words.filter { !$0.isEmpty }.joined(separator: "  "), to: SagaLines.width - 2)
    }
    return lines + (sagas.count > mostNamed ? ["and \(sagas.count - mostNamed) more"] : [])
  }
}

/// The beginning of an id that is enough to tell it from the others of a list.
enum ShortID {
  /// The time in the id, to the millisecond: seldom is a later saga named by so much of an id, too.
  private static let shortest = 13

  /// Returns the number of characters after which no two different ids are the same.
  static func width(of ids: some Sequence<String>) -> Int {
    let sorted = Set(ids).sorted()
    let shared = zip(sorted, sorted.dropFirst()).map { left, right in
      zip(left, right).prefix { $0 == $1 }.count
    }
    return min(sorted.map(\.count).max() ?? shortest, max(shortest, (shared.max() ?? 0) + 1))
  }
}

extension OperandSpec {
  /// The operand of a command on one saga.
  static let saga = OperandSpec(
    "ID", help: "the saga: its id or the beginning of it, its key, its title, a label's value, or its barcode")
}
