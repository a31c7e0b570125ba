import JSON
public import Runtime
import SagaCore
public import Values

/// The keys with which an engine wraps the data keys of its sagas. New data keys are wrapped with the current one. The
/// others stay, to read what was wrapped with them.
///
/// The file of `saga serve --seal-keys` has them:
/// `{"current": "k1", "keys": [{"id": "k1", "createdAt": "…", "key": "<32 bytes in base64 for URLs>"}]}`.
public struct SealKeys: Sendable {
  public struct Key: Sendable {
    /// 1 to 64 letters, digits, hyphens and dots.
    public let id: String
    public let createdAt: Timestamp
    let key: SealingKey
  }

  /// Why a file of keys can't be used. It never has a key in it.
  public struct Unreadable: CodedError {
    public let code = EngineErrorCode.sealKeysUnreadable
    public let message: String

    public init(message: String) { self.message = message }
  }

  /// The most keys of one file, and the most bytes of the file.
  public static let mostKeys = 100
  public static let mostBytes = 64 << 10

  /// In the order of the file.
  public private(set) var keys: [Key]
  public private(set) var current: Key

  /// New keys, the first of a file.
  public init(_ environment: Environment) {
    current = Self.new(environment, besides: [])
    keys = [current]
  }

  /// Makes a new current key.
  public mutating func renew(_ environment: Environment) {
    current = Self.new(environment, besides: keys.map(\.id))
    keys.append(current)
  }

  /// Removes a key. What was wrapped with it alone can't be opened any more.
  /// - Returns: false when there is no such key, or when it is the current one.
  public mutating func remove(_ id: String) -> Bool {
    guard id != current.id, let index = keys.firstIndex(where: { $0.id == id }) else { return false }
    keys.remove(at: index)
    return true
  }

  func key(_ id: String) -> SealingKey? { keys.first { $0.id == id }?.key }

  private static func new(_ environment: Environment, besides known: [String]) -> Key {
    let now = environment.wallNow()
    let day = now.description.prefix(10)
    var id = "k-\(day)"
    var number = 2
    while known.contains(id) {
      id = "k-\(day).\(number)"
      number += 1
    }
    return Key(id: id, createdAt: now, key: .new(environment))
  }

  // MARK: The file

  /// Reads the content of a file.
  /// - Parameter path: the file's name, for the error.
  /// - Throws: `seal.keysUnreadable`.
  public init(parsing bytes: [UInt8], of path: String) throws(Unreadable) {
    func unreadable(_ why: String) -> Unreadable {
      Unreadable(message: "The seal keys in \(path) can't be read: \(why).")
    }
    let json: JSON
    do { json = try JSON(parsing: bytes) } catch { throw unreadable("it is not JSON") }
    guard let list = json["keys"]?.arrayValue, (1...Self.mostKeys).contains(list.count) else {
      throw unreadable("\"keys\" must be a list of 1 to \(Self.mostKeys) keys")
    }
    var keys: [Key] = []
    for (index, entry) in list.enumerated() {
      guard let id = entry["id"]?.stringValue, Self.isID(id), !keys.contains(where: { $0.id == id }) else {
        throw unreadable(
          "the id of key \(index + 1) must be 1 to 64 letters, digits, hyphens and dots, and the only one of its name")
      }
      guard let createdAt = entry["createdAt"]?.stringValue.flatMap({ Timestamp($0) }) else {
        throw unreadable("key \(id) has no time \"createdAt\"")
      }
      guard let key = entry["key"]?.stringValue.flatMap({ Base64URL.decode($0) }).flatMap({ SealingKey($0) }) else {
        throw unreadable("key \(id) has no 32 bytes of base64 for URLs in \"key\"")
      }
      keys.append(Key(id: id, createdAt: createdAt, key: key))
    }
    guard let current = json["current"]?.stringValue.flatMap({ id in keys.first { $0.id == id } }) else {
      throw unreadable("\"current\" must name one of the keys")
    }
    self.keys = keys
    self.current = current
  }

  /// The content of the file.
  public var bytes: [UInt8] {
    let list = keys.map { key -> JSON in
      [
        "id": .string(key.id), "createdAt": .string(key.createdAt.description),
        "key": .string(Base64URL.encode(key.key.bytes)),
      ]
    }
    return (["current": .string(current.id), "keys": .array(list)] as JSON).bytes(.pretty) + [UInt8(ascii: "\n")]
  }

  private static func isID(_ id: String) -> Bool {
    (1...64).contains(id.utf8.count)
      && id.utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
      }
  }
}
