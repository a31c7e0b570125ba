/// The registry's wire format: a zero byte, the schema's id in four bytes with the highest first, and the JSON.
///
/// JSON never begins with a zero byte, so a reader can accept both forms.
public struct SchemaFraming: Sendable {
  private static let magic: UInt8 = 0
  private static let head = 5

  private let registry: SchemaRegistry?
  private let id: Int32?

  /// - Parameters:
  ///   - registry: looks up the ids of messages that are read; nil when no registry is used.
  ///   - id: the id of the schema of messages that are written; with nil they are plain JSON.
  public init(registry: SchemaRegistry?, id: Int32? = nil) {
    self.registry = registry
    self.id = id
  }

  /// Plain JSON without a schema's id.
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

  /// Returns the JSON of a message in either form. It checks that the registry knows the id. It does not check the JSON
  /// against the schema: the message's handler checks the members that it needs.
  /// - Throws: `Poison` `schema.truncated` or `schema.unknown`. `RegistryError` when the registry fails; then the message
  ///   may be valid, and the caller retries.
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
