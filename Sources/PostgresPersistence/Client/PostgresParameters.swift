import CPostgres
import Values

/// The values of one call, in the server's binary format.
struct PostgresParameters: Sendable {
  /// All values one after the other. The call needs only one buffer.
  private(set) var bytes: [UInt8] = []
  private(set) var types: [Oid] = []
  /// The range of each value in `bytes`; nil is NULL.
  private(set) var ranges: [Range<Int>?] = []

  init() {}

  private mutating func append(_ type: Oid, _ write: (inout [UInt8]) -> Void) {
    let start = bytes.count
    write(&bytes)
    types.append(type)
    ranges.append(start..<bytes.count)
  }

  mutating func append(null type: PostgresType) {
    types.append(type.rawValue)
    ranges.append(nil)
  }

  mutating func append(_ value: Bool) { append(PostgresType.bool.rawValue) { $0.append(value ? 1 : 0) } }
  mutating func append(int4 value: Int) { append(PostgresType.int4.rawValue) { $0.append(int4: value) } }
  mutating func append(_ value: Int64) { append(PostgresType.int8.rawValue) { $0.append(bigEndian: value) } }
  mutating func append(_ value: String) { append(PostgresType.text.rawValue) { $0.append(contentsOf: value.utf8) } }
  mutating func append(_ value: [UInt8]) { append(PostgresType.bytes.rawValue) { $0.append(contentsOf: value) } }
  mutating func append(_ value: UniqueID) { append(PostgresType.uuid.rawValue) { $0.append(uuid: value) } }
  mutating func append(_ value: Timestamp) {
    append(PostgresType.timestamp.rawValue) { $0.append(bigEndian: value.sincePostgresEpoch) }
  }

  mutating func append(_ array: PostgresArray) {
    append(array.type.array) { array.write(to: &$0) }
  }
}

/// A one-dimensional array that is built value by value. `unnest` makes a column of rows of it.
struct PostgresArray: Sendable {
  let type: PostgresType
  private var elements: [UInt8] = []
  private var count = 0
  private var hasNull = false

  init(_ type: PostgresType) { self.type = type }

  mutating func append(int4 value: Int) {
    element(length: 4)
    elements.append(int4: value)
  }

  mutating func append(_ value: Int64) {
    element(length: 8)
    elements.append(bigEndian: value)
  }

  mutating func append(_ value: Bool) {
    element(length: 1)
    elements.append(value ? 1 : 0)
  }

  mutating func append(_ value: UniqueID) {
    element(length: 16)
    elements.append(uuid: value)
  }

  mutating func append(_ value: Timestamp) {
    element(length: 8)
    elements.append(bigEndian: value.sincePostgresEpoch)
  }

  mutating func append(_ value: String) {
    element(length: value.utf8.count)
    elements.append(contentsOf: value.utf8)
  }

  mutating func append(_ value: [UInt8]) {
    element(length: value.count)
    elements.append(contentsOf: value)
  }

  mutating func appendNull() {
    hasNull = true
    element(length: -1)
  }

  private mutating func element(length: Int) {
    count += 1
    elements.append(int4: length)
  }

  /// Writes the header (dimensions, whether there are NULLs, element type, length, lower bound), then the elements.
  func write(to bytes: inout [UInt8]) {
    bytes.append(int4: count == 0 ? 0 : 1)
    bytes.append(int4: hasNull ? 1 : 0)
    bytes.append(int4: Int(type.rawValue))
    guard count > 0 else { return }
    bytes.append(int4: count)
    bytes.append(int4: 1)
    bytes.append(contentsOf: elements)
  }
}

extension PostgresArray {
  init(_ values: some Sequence<Int>) {
    self.init(.int4)
    for value in values { append(int4: value) }
  }

  init(_ values: some Sequence<UniqueID>) {
    self.init(.uuid)
    for value in values { append(value) }
  }

  init(_ values: some Sequence<String>) {
    self.init(.text)
    for value in values { append(value) }
  }
}

extension [UInt8] {
  fileprivate mutating func append(bigEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
  }

  fileprivate mutating func append(int4 value: Int) { append(bigEndian: Int32(truncatingIfNeeded: value)) }

  fileprivate mutating func append(uuid: UniqueID) {
    append(bigEndian: uuid.high)
    append(bigEndian: uuid.low)
  }
}

extension Timestamp {
  /// The number of microseconds since 2000-01-01T00:00:00Z, which is how the server counts time.
  fileprivate var sincePostgresEpoch: Int64 { (milliseconds - 946_684_800_000) * 1_000 }

  init(sincePostgresEpoch microseconds: Int64) {
    let quotient = microseconds / 1_000
    let floored = microseconds % 1_000 < 0 ? quotient - 1 : quotient
    self.init(milliseconds: floored + 946_684_800_000)
  }
}
