import JSON
import Values

/// The calls that came, for `GET /_stub/calls`: the last ones, and the counts of all.
struct CallLog: Sendable {
  /// What became of a call.
  enum Result: String, Sendable {
    /// The work was done now. It counts once for each key.
    case happened
    /// The rule's answer is a refusal, or a failure that may be repeated.
    case refused
    /// The key has its answer already.
    case repeated
    /// One of the first calls that fail.
    case failed
    /// An undo came before this call.
    case undoneBefore
    /// An undo whose call never came, or did nothing.
    case nothingToUndo
    /// The key belongs to another request.
    case keyReused
    case noRule
    /// The rule could not be used: an expression has no value.
    case ruleFailed
  }

  struct Entry: Sendable {
    let at: Timestamp
    let call: StubCall
    /// The number of the call with its key.
    let number: Int
    let rule: String?
    let result: Result
    let status: Int
    /// Whether the answer was lost on purpose.
    let isDropped: Bool

    /// The most bytes of a body that are shown.
    static let mostBody = 2_048

    var json: JSON {
      var members: JSONObject = [
        "at": .string(at.description), "method": .string(call.method), "path": .string(call.target),
      ]
      members["rule"] = rule.map { .string($0) }
      members["key"] = call.key.map { .string($0) }
      members["compensates"] = call.compensates.map { .string($0) }
      members["call"] = .int(number)
      members["result"] = .string(result.rawValue)
      members["status"] = .int(status)
      if isDropped { members["dropped"] = true }
      if let body = call.body, call.bodyBytes <= Self.mostBody {
        members["body"] = body
      } else if call.bodyBytes > 0 {
        members["bodyBytes"] = .int(call.bodyBytes)
      }
      return .object(members)
    }
  }

  private struct Counts: Sendable {
    var calls = 0
    var happened = 0
    var repeated = 0
  }

  /// What is kept of a call: no header, and no large body.
  private struct Kept: Sendable {
    let key: String?
    let rule: String?
    let json: JSON
  }

  private var entries: [Kept] = []
  private var counts: [String: Counts] = [:]
  private let names: [String]
  private var total = 0

  /// The most calls that are kept.
  static let most = 1_000

  init(rules: [StubRule]) { names = rules.map(\.name) }

  mutating func note(_ entry: Entry) {
    total += 1
    entries.append(Kept(key: entry.call.key, rule: entry.rule, json: entry.json))
    // Many at a time, because each removal moves the rest.
    if entries.count >= Self.most + 200 { entries.removeFirst(entries.count - Self.most) }
    guard let rule = entry.rule else { return }
    counts[rule, default: Counts()].calls += 1
    if entry.result == .happened { counts[rule]?.happened += 1 }
    if entry.result == .repeated { counts[rule]?.repeated += 1 }
  }

  /// - Parameters:
  ///   - key: only calls with this key; nil for all.
  ///   - rule: only calls that this rule took; nil for all.
  func json(key: String?, rule: String?, memory: StubMemory) -> JSON {
    let shown = entries.suffix(Self.most).filter { entry in
      (key == nil || entry.key == key) && (rule == nil || entry.rule == rule)
    }
    let rules = names.map { name -> JSON in
      let counts = counts[name] ?? Counts()
      return [
        "name": .string(name), "calls": .int(counts.calls), "happened": .int(counts.happened),
        "repeated": .int(counts.repeated),
      ]
    }
    return [
      "total": .int(total), "remembered": .int(memory.count), "forgotten": .int(memory.forgotten),
      "rules": .array(rules), "calls": .array(shown.map(\.json)),
    ]
  }
}
