/// The registry's wire format: a zero byte, the schema's id in four bytes with the highest first, and the JSON.
///
/// JSON never begins with a zero byte, so that a reader tells both forms apart and takes both.
public struct SchemaFraming: Sendable {
  private static let magic: UInt8 = 0
  private static let head = 5

  private let registry: SchemaRegistry?
  private let id: Int32?

  /// - Parameters:
  ///   - registry: where the ids of what is read are looked up; nil when there is none.
  ///   - id: of the schema that what is written here meets; nil writes plain JSON.
  public init(registry: SchemaRegistry?, id: Int32? = nil) {
    self.registry = registry
    self.id = id
  }

  /// JSON as it is.
  public static let plain = SchemaFraming(registry: nil)

  public func frame(_ json: [UInt8]) -> [UInt8] {
    guard let id else { return json }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.head + json.count)
    bytes.append(Self.magic)
    withUnsafeBytes(of: id.bigEndian) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: json)
    return bytes
  }

  /// The JSON of a message in either form. That the registry knows the id is checked; that the JSON meets the schema is
  /// not: whoever handles it checks what it needs.
  /// - Throws: `Poison` `schema.truncated` or `schema.unknown`. `RegistryError` when the registry can't say: the message
  ///   may be right, and is to be tried again.
  public func unframe(_ bytes: [UInt8]) async throws -> [UInt8] {
    guard bytes.first == Self.magic else { return bytes }
    guard bytes.count > Self.head else {
      throw Poison(
        RegistryErrorCode.schemaTruncated,
        "The message begins like one with a schema's id, but ends after \(bytes.count) bytes, before its content.")
    }
    let id = Int32(bitPattern: bytes[1..<Self.head].reduce(0) { $0 << 8 | UInt32($1) })
    guard let registry else {
      throw Poison(
        RegistryErrorCode.schemaUnknown,
        "The message names the schema \(id), and no schema registry is set in which to look it up.")
    }
    do throws(RegistryError) {
      _ = try await registry.schema(id: id)
    } catch {
      if error.code == RegistryErrorCode.schemaUnknown { throw Poison(error.code, error.message) }
      throw error
    }
    return Array(bytes[Self.head...])
  }
}
