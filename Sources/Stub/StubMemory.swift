import Runtime

/// What the stub remembers of each key. When there are too many keys, or too many bytes, it forgets the oldest key.
struct StubMemory: Sendable {
  /// The calls that count together: those with one key, or those without a key for one method and path.
  enum Identity: Sendable, Hashable {
    case key(String)
    case request(String)

    var size: Int {
      switch self {
      case .key(let text), .request(let text): text.utf8.count
      }
    }
  }

  struct Record: Sendable {
    /// The number of calls so far.
    var calls = 0
    /// The number of answers that were lost on purpose.
    var drops = 0
    /// The digest of the first call that was answered.
    var digest: String?
    /// The answer that every repeat gets.
    var answer: StubAnswer?
    /// Whether the undo of this call came first.
    var isTombstone = false
    var isUndone = false

    /// Whether the work of the call was done.
    var hasHappened: Bool { answer?.isSuccess == true && !isTombstone }
  }

  private var records: [Identity: Record] = [:]
  private var order = FIFO<Identity>()
  private var bytes = 0
  private let mostKeys: Int
  private let mostBytes: Int
  /// The number of keys that were forgotten.
  private(set) var forgotten = 0

  /// The most bytes of all answers and keys that are remembered.
  static let mostBytes = 64 << 20
  /// The bytes that a record takes beside its key and its answer.
  private static let overhead = 256

  init(mostKeys: Int, mostBytes: Int = Self.mostBytes) {
    self.mostKeys = mostKeys
    self.mostBytes = mostBytes
  }

  var count: Int { records.count }

  subscript(identity: Identity) -> Record? { records[identity] }

  /// Changes a record. The first change of a key makes its record.
  mutating func update(_ identity: Identity, _ change: (inout Record) -> Void) {
    var record = records[identity] ?? Record()
    let isNew = records[identity] == nil
    let before = isNew ? 0 : Self.size(of: identity, record)
    change(&record)
    records[identity] = record
    bytes += Self.size(of: identity, record) - before
    if isNew { order.append(identity) }
    while records.count > mostKeys || bytes > mostBytes, records.count > 1, let oldest = order.popFirst() {
      guard let old = records.removeValue(forKey: oldest) else { continue }
      bytes -= Self.size(of: oldest, old)
      forgotten += 1
    }
  }

  private static func size(of identity: Identity, _ record: Record) -> Int {
    overhead + identity.size + (record.answer?.size ?? 0)
  }
}
