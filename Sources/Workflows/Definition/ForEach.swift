import JSON

/// The `forEach` of a step: the step's action is done once for each item of a list.
public struct ForEach: Sendable, Hashable {
  /// What gives the items: one `${…}`, or a list.
  public let items: Template
  /// The name of the item in the document that its action reads.
  public let name: String
  /// What gives the key of each item; nil when the key is the item's index.
  public let key: TextTemplate?
  /// The most items that are under way at the same time, forward or in their undo.
  public let maxParallel: Int
  public let tolerated: Tolerance

  /// The number of failed items that a step tolerates.
  public enum Tolerance: Sendable, Hashable {
    case count(Int)
    /// A whole number from 0 to 100.
    case percent(Int)

    /// Returns the number of failures that are tolerated among this number of items.
    public func failures(of count: Int) -> Int {
      switch self {
      case .count(let most): most
      case .percent(let percent): count * percent / 100
      }
    }
  }

  /// The name of an item when the file sets none.
  public static let defaultName = "item"
  /// The member of the document with an item's number among the items, from 0.
  public static let indexName = "index"
  public static let defaultMaxParallel = 10
  /// The largest `maxParallel` of a file.
  public static let mostParallel = 1_000
  /// The most items of a step.
  public static let mostItems = 100_000

  public init(
    items: Template, name: String = ForEach.defaultName, key: TextTemplate? = nil,
    maxParallel: Int = ForEach.defaultMaxParallel, tolerated: Tolerance = .count(0)
  ) {
    self.items = items
    self.name = name
    self.key = key
    self.maxParallel = maxParallel
    self.tolerated = tolerated
  }
}

// MARK: Keys

extension ForEach {
  /// The most bytes of an item's key.
  public static let longestKey = 100

  /// Returns whether a text can be the key of an item: 1 to 100 letters, digits, and `. _ - : / @ + =`.
  public static func isKey(_ text: String) -> Bool {
    (1...longestKey).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: "._-:/@+=".utf8.contains(byte)
        }
      }
  }
}

// MARK: Evaluation

/// The items of a step, with their keys.
public struct ItemValues: Sendable {
  /// The name of an item in the document.
  public let name: String
  public let values: [JSON]
  /// One key for each item, all different.
  public let keys: [String]

  public var count: Int { values.count }
}

/// The reason why a step has no items.
public struct ItemsError: Error, Sendable, Hashable {
  public let code: String
  public let message: String
}

extension ForEach {
  /// The budget of all items and keys of a step together. It allows 100,000 keys of the greatest length.
  static let budget = Budget(bytes: 64 << 20, text: 16 << 20)

  /// Returns the items over a saga's document.
  /// - Parameter meter: counts the work. It has `budget`, or less.
  /// - Throws: when the items can't be computed, are not a list or are too many, and when a key is missing, has a wrong
  ///   form, or comes twice.
  public func values(in document: JSON, meter: Meter = ForEach.meter()) throws(ItemsError) -> ItemValues {
    let values = try list(in: document, meter)
    guard values.count <= Self.mostItems else {
      throw ItemsError(
        code: WorkflowErrorCode.forEachTooMany,
        message: "\"items\" finds \(values.count) items; a step has \(Self.mostItems) at most.")
    }
    return ItemValues(name: name, values: values, keys: try keys(of: values, in: document, meter))
  }

  /// Returns a meter with the budget of a step's items and keys.
  public static func meter() -> Meter { Meter(budget) }

  private func list(in document: JSON, _ meter: Meter) throws(ItemsError) -> [JSON] {
    do throws(ExpressionError) {
      if let found = try items.allValues(in: document, atMost: Self.mostItems, meter: meter) { return found }
    } catch {
      throw ItemsError(code: error.code, message: "The items: \(error.message).")
    }
    throw ItemsError(
      code: WorkflowErrorCode.forEachNotAList,
      message: "\"items\" finds one value, and it is not a list. Write [*] behind the list, or list(…).")
  }

  private func keys(of values: [JSON], in document: JSON, _ meter: Meter) throws(ItemsError) -> [String] {
    guard let key else { return values.indices.map(String.init) }
    var keys: [String] = []
    keys.reserveCapacity(values.count)
    var known: [String: Int] = [:]
    for (index, value) in values.enumerated() {
      let text: String
      do throws(ExpressionError) {
        text = try key.renderRequired(in: document.with(value, named: name, index: index), meter: meter)
      } catch {
        throw ItemsError(code: error.code, message: "The key of item \(index): \(error.message).")
      }
      guard Self.isKey(text) else {
        throw ItemsError(
          code: WorkflowErrorCode.forEachBadKey,
          message:
            "Item \(index) has the key “\(String(String.UnicodeScalarView(text.unicodeScalars.prefix(Self.longestKey))))”. "
            + "A key has 1 to \(Self.longestKey) letters, digits and . _ - : / @ + =.")
      }
      if let first = known.updateValue(index, forKey: text) {
        throw ItemsError(
          code: WorkflowErrorCode.forEachSameKey, message: "Items \(first) and \(index) have the same key “\(text)”.")
      }
      keys.append(text)
    }
    return keys
  }
}

extension JSON {
  /// Returns the document with an item under its name, and the item's number.
  package func with(_ item: JSON, named name: String, index: Int) -> JSON {
    guard case .object(var members) = self else { return self }
    members[name] = item
    members[ForEach.indexName] = .int(index)
    return .object(members)
  }
}
