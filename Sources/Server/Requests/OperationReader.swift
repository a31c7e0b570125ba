import HTTP
import JSON
import Persistence
import Values
import WorkflowEngine
import Workflows

/// Reads the target of an operation: a filter in the form of lists, or ids.
struct OperationReader {
  private static let mostNamed = 10_000

  /// - Parameter now: decides what is overdue.
  static func target(_ body: inout BodyReader, at now: Timestamp) throws(Problem) -> OperationTarget? {
    let filter = body.object("filter")
    let named = body.texts("sagas", count: mostNamed, length: 36) ?? []
    switch (filter, named.isEmpty) {
    case (nil, true): body.refuse("filter", "is missing: say which sagas with /filter, or name them in /sagas")
    case (_?, false): body.refuse("sagas", "can't go with /filter: say one of them")
    case (nil, false):
      var ids: [UniqueID] = []
      var seen: Set<UniqueID> = []
      for text in named {
        guard let id = UniqueID(text) else {
          body.refuse("sagas", "has \(quoted(text)), which is not a saga's id")
          return nil
        }
        // A saga that is named twice is acted on once.
        if seen.insert(id).inserted { ids.append(id) }
      }
      return .sagas(ids)
    case (let filter?, true):
      guard let pairs = pairs(filter, &body) else { return nil }
      guard !pairs.isEmpty else {
        body.refuse("filter", "is empty, and would take every saga there ever was: say which")
        return nil
      }
      let query = try QueryReader(pairs, known: SagaListReader.filters)
      return .filter(
        try SagaListReader(query, shardCount: Shard.maxCount).request(at: now).request.query, asked: filter)
    }
    return nil
  }

  /// Returns the filter as the parameters of a list, so that the same rules read both.
  private static func pairs(_ filter: JSON, _ body: inout BodyReader) -> [(name: String, value: String)]? {
    var pairs: [(name: String, value: String)] = []
    for (name, value) in filter.objectValue ?? [:] {
      // An empty list matches nothing. If it were ignored, the filter would match every saga.
      if value.arrayValue?.isEmpty == true {
        body.refuse("filter", "has an empty list as \(quoted(name)): say which, or leave it out")
        return nil
      }
      for value in value.arrayValue ?? [value] {
        switch value {
        case .string(let text): pairs.append((name, text))
        case .number(let number): pairs.append((name, JSON.number(number).text()))
        case .bool(let flag): pairs.append((name, flag ? "true" : "false"))
        case .null, .array, .object:
          body.refuse("filter", "has \(quoted(name)), which must be a text, a number, true, false, or texts")
          return nil
        }
      }
    }
    return pairs
  }
}
