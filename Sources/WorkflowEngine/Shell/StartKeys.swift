import JSON
import Persistence
import SagaCore
import Values

// One start key belongs to one saga and one request. Only the members of the start count: an omitted version or omitted
// tags are those of the saga.
extension Engine {
  /// Returns the saga that the request's key has started; nil for a new key, or without one.
  /// - Throws: `EngineError` `saga.startKeyReused` when the key started a saga with another request.
  func known(_ request: StartRequest) async throws -> Started? {
    guard let key = request.idempotencyKey else { return nil }
    if let existing = try await host.events.startKey(scope: request.workflow, key: key) {
      return try await same(existing, as: request)
    }
    for former in request.formerKeys {
      guard let existing = try await host.events.startKey(scope: request.workflow, key: former) else { continue }
      // A start with a source was made under the keys of this version. Then the text is the key of another caller.
      if try await start(of: existing).from == nil { return try await same(existing, as: request) }
    }
    return nil
  }

  /// - Throws: `EngineError` `saga.startKeyReused`, with the differences.
  func same(_ existing: StartKey, as request: StartRequest) async throws -> Started {
    let start = try await start(of: existing)
    let differences = StartDifferences.between(request, start, input: try await openedInput(of: start))
    guard differences.isEmpty else {
      throw EngineError(
        code: EngineErrorCode.sagaStartKeyReused,
        message: "The Idempotency-Key “\(existing.key)” has started saga \(existing.stream) with something else: "
          + "\(differences.joined(separator: "; ")). A new start needs a new key.")
    }
    return Started(id: existing.stream, isNew: false)
  }

  /// Returns the input of a start with its sealed values open.
  /// - Throws: `Refusal` `saga.forgotten` or `saga.sealKeyMissing` when they can't be opened: nothing says then whether
  ///   another start is the same.
  private func openedInput(of start: SagaStart) async throws -> JSON {
    guard start.isSealed else { return start.input }
    if try await host.state(of: start.id).forgotten != nil { throw DataKeys.forgotten(start.id) }
    guard let seal = try await host.dataKeys.known(start.id) else { throw DataKeys.refusal(start.id) }
    return seal.open(start.input)
  }

  private func start(of key: StartKey) async throws -> SagaStart {
    guard let first = try await host.events.read(key.stream, after: 0, limit: 1).first,
      let started = try SagaEventCoding.decode(first).what as? SagaStarted
    else { throw HistoryError("The start key “\(key.key)” names \(key.stream), which is not a saga.") }
    return started.saga
  }
}

/// The differences between a start and the saga that its key has started.
enum StartDifferences {
  /// - Parameter input: the input of the start, when it has sealed values: with them open.
  static func between(_ request: StartRequest, _ start: SagaStart, input: JSON? = nil) -> [String] {
    let input = input ?? start.input
    var differences: [String] = []
    if let version = request.version, version != start.version {
      differences.append("\(VersionName.long(start.version)), not \(VersionName.long(version))")
    }
    if request.wantsDraft, !VersionName.isDraft(start.version) {
      differences.append("\(VersionName.long(start.version)), not a draft")
    }
    if request.input.bytes(.canonical) != input.bytes(.canonical) {
      var places = Places()
      places.compare(input, request.input, at: .root)
      let shown = places.found.map { $0.description.isEmpty ? "the whole" : $0.description }.joined(separator: ", ")
      differences.append("other input (at \(shown)\(places.isCut ? ", …" : ""))")
    }
    if let tags = request.tags, Set(tags) != Set(start.tags) {
      func shown(_ tags: [String]) -> String { tags.isEmpty ? "no tags" : "the tags " + tags.joined(separator: ", ") }
      differences.append("\(shown(start.tags)), not \(shown(tags))")
    }
    return differences
  }

  /// The first places at which two values differ.
  private struct Places {
    static let most = 3
    var found: [JSONPointer] = []
    var isCut = false

    mutating func compare(_ left: JSON, _ right: JSON, at place: JSONPointer) {
      guard found.count < Self.most else {
        isCut = isCut || left.bytes(.canonical) != right.bytes(.canonical)
        return
      }
      switch (left, right) {
      case (.object(let left), .object(let right)):
        for name in left.keys + right.keys.filter({ left[$0] == nil }) {
          if isCut { return }
          compare(left[name], right[name], at: place.appending(.name(name)))
        }
      case (.array(let left), .array(let right)):
        for index in 0..<max(left.count, right.count) {
          if isCut { return }
          compare(
            left.indices.contains(index) ? left[index] : nil, right.indices.contains(index) ? right[index] : nil,
            at: place.appending(.index(index)))
        }
      default:
        if left.bytes(.canonical) != right.bytes(.canonical) { found.append(place) }
      }
    }

    private mutating func compare(_ left: JSON?, _ right: JSON?, at place: JSONPointer) {
      switch (left, right) {
      case (let left?, let right?): compare(left, right, at: place)
      case (nil, nil): break
      default:
        if found.count < Self.most { found.append(place) } else { isCut = true }
      }
    }
  }
}
