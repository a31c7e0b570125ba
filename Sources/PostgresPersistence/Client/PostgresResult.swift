import CPostgres
import Values

/// Owns one result of the server and reads the binary values of its rows.
final class PostgresResult {
  private let handle: OpaquePointer?

  init(owning handle: OpaquePointer?) { self.handle = handle }

  deinit { PQclear(handle) }

  var count: Int { Int(PQntuples(handle)) }

  var rows: some Sequence<PostgresRow> {
    (0..<count).lazy.map { PostgresRow(result: self, row: Int32($0)) }
  }

  var first: PostgresRow? { count > 0 ? PostgresRow(result: self, row: 0) : nil }

  /// The number of rows that an INSERT, UPDATE or DELETE changed.
  var affectedRows: Int {
    guard let text = PQcmdTuples(handle) else { return 0 }
    return Int(String(cString: text)) ?? 0
  }

  fileprivate func value(_ row: Int32, _ column: Int32) throws(PostgresError) -> UnsafeRawBufferPointer? {
    guard row < PQntuples(handle), column < PQnfields(handle), PQfformat(handle, column) == 1 else {
      throw .unexpected("the server's answer has no binary column \(column)")
    }
    if PQgetisnull(handle, row, column) == 1 { return nil }
    return UnsafeRawBufferPointer(
      start: PQgetvalue(handle, row, column), count: Int(PQgetlength(handle, row, column)))
  }
}

/// One row of a result. Each read names the number of the column and its required type.
struct PostgresRow {
  let result: PostgresResult
  let row: Int32

  private func value(_ column: Int) throws(PostgresError) -> UnsafeRawBufferPointer {
    guard let value = try result.value(row, Int32(column)) else {
      throw .unexpected("column \(column) of the server's answer is NULL")
    }
    return value
  }

  private func integer<Value: FixedWidthInteger>(
    _ column: Int, _ type: Value.Type
  ) throws(PostgresError) -> Value {
    let value = try value(column)
    guard value.count == MemoryLayout<Value>.size else {
      throw .unexpected("column \(column) of the server's answer has \(value.count) bytes")
    }
    return Value(bigEndian: value.loadUnaligned(as: type))
  }

  func isNull(_ column: Int) throws(PostgresError) -> Bool { try result.value(row, Int32(column)) == nil }
  func bool(_ column: Int) throws(PostgresError) -> Bool { try integer(column, UInt8.self) != 0 }
  func int4(_ column: Int) throws(PostgresError) -> Int { Int(try integer(column, Int32.self)) }
  func int8(_ column: Int) throws(PostgresError) -> Int64 { try integer(column, Int64.self) }
  func bytes(_ column: Int) throws(PostgresError) -> [UInt8] { Array(try value(column)) }
  func text(_ column: Int) throws(PostgresError) -> String { String(decoding: try value(column), as: UTF8.self) }
  func timestamp(_ column: Int) throws(PostgresError) -> Timestamp {
    Timestamp(sincePostgresEpoch: try int8(column))
  }

  func uuid(_ column: Int) throws(PostgresError) -> UniqueID {
    let value = try value(column)
    guard value.count == 16 else { throw .unexpected("column \(column) of the server's answer is no uuid") }
    return UniqueID(
      high: UInt64(bigEndian: value.loadUnaligned(as: UInt64.self)),
      low: UInt64(bigEndian: value.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }

  /// Reads a one-dimensional array of texts without NULLs.
  func texts(_ column: Int) throws(PostgresError) -> [String] {
    let value = try value(column)
    func int4(at offset: Int) throws(PostgresError) -> Int {
      guard offset + 4 <= value.count else { throw .unexpected("column \(column) of the server's answer is cut off") }
      return Int(Int32(bigEndian: value.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
    }
    if try int4(at: 0) == 0 { return [] }
    let count = try int4(at: 12)
    var offset = 20
    var texts: [String] = []
    for _ in 0..<count {
      let length = try int4(at: offset)
      guard length >= 0, offset + 4 + length <= value.count else {
        throw .unexpected("column \(column) of the server's answer is no array of texts")
      }
      texts.append(String(decoding: value[offset + 4..<offset + 4 + length], as: UTF8.self))
      offset += 4 + length
    }
    return texts
  }
}
