/// The members of a JSON object in their written order. Names are unique and are compared by Unicode scalars.
public struct JSONObject: Sendable {
  public typealias Member = (name: String, value: JSON)

  private var names: [String] = []
  private var values: [JSON] = []
  /// The index by name. Only objects that are large enough have it; for small ones a walk is faster.
  private var index: [ScalarKey: Int] = [:]
  private static let walked = 12

  public init() {}

  /// - Parameter members: the members; of two with the same name, the last value counts.
  public init(_ members: [(String, JSON)]) {
    names.reserveCapacity(members.count)
    values.reserveCapacity(members.count)
    for (name, value) in members { self[name] = value }
  }

  public var count: Int { names.count }
  public var isEmpty: Bool { names.isEmpty }
  public var keys: [String] { names }

  /// Reads a member, or sets it in its old place (a new one at the end). Setting nil removes it.
  public subscript(name: String) -> JSON? {
    get { position(of: name).map { values[$0] } }
    set {
      if let position = position(of: name) {
        if let newValue { values[position] = newValue } else { remove(at: position) }
      } else if let newValue {
        names.append(name)
        values.append(newValue)
        noteLast()
      }
    }
  }

  /// Adds a member at the end. Returns false when a member with this name exists.
  mutating func append(_ name: String, _ value: JSON) -> Bool {
    guard position(of: name) == nil else { return false }
    names.append(name)
    values.append(value)
    noteLast()
    return true
  }

  private mutating func noteLast() {
    if names.count == Self.walked + 1 {
      rebuildIndex()
    } else if names.count > Self.walked, let name = names.last {
      index[ScalarKey(name)] = names.count - 1
    }
  }

  /// Returns the index of the member with this name.
  func position(of name: String) -> Int? {
    if names.count > Self.walked { return index[ScalarKey(name)] }
    return names.firstIndex { $0.hasSameScalars(as: name) }
  }

  private mutating func remove(at position: Int) {
    names.remove(at: position)
    values.remove(at: position)
    rebuildIndex()
  }

  private mutating func rebuildIndex() {
    index.removeAll(keepingCapacity: true)
    guard names.count > Self.walked else { return }
    for (position, name) in names.enumerated() { index[ScalarKey(name)] = position }
  }
}

extension JSONObject: RandomAccessCollection {
  public var startIndex: Int { 0 }
  public var endIndex: Int { names.count }
  public subscript(position: Int) -> Member { (names[position], values[position]) }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, JSON)...) { self.init(elements) }
}

extension JSONObject: Hashable {
  /// Returns true when both have the same members, in any order.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.count == right.count && left.allSatisfy { right[$0.name] == $0.value }
  }

  public func hash(into hasher: inout Hasher) {
    // The order must not count, so the hashes of the members are added up.
    var sum = 0
    for member in self {
      var one = Hasher()
      one.combine(ScalarKey(member.name))
      one.combine(member.value)
      sum &+= one.finalize()
    }
    hasher.combine(sum)
  }
}

/// A string that is compared and hashed by its Unicode scalars.
package struct ScalarKey: Hashable, Sendable {
  package let string: String
  package init(_ string: String) { self.string = string }
  package static func == (left: ScalarKey, right: ScalarKey) -> Bool { left.string.hasSameScalars(as: right.string) }
  package func hash(into hasher: inout Hasher) {
    var string = string
    string.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}
