import Runtime
import TestSupport
import Testing
import Values

@testable import Persistence
@testable import PostgresPersistence

@Suite("Connecting to Postgres", .timeLimit(.minutes(15)), .inTurn)
struct PostgresConnectingTests {
  @Test(
    "Settings that can't be read are refused, and never shown",
    arguments: [
      "postgresql://ada:secret@[broken", "postgresql://ada:secret/x@db/tracseq", "postgresql://ada:a@secret@db/tracseq",
      "host=db,a@secret",
    ])
  func unreadable(url: String) async throws {
    do throws(StoreError) {
      _ = try await PostgresStore.open(url: url, environment: .system)
      Issue.record("opened")
    } catch {
      #expect(error.kind == .invalid)
      #expect(!error.description.contains("secret"))
    }
  }

  @Test(
    "Opening fails at once when the server does not exist",
    arguments: [
      "postgresql://ada:secret@127.0.0.1:1/tracseq", "host=/nowhere dbname=tracseq",
      "postgresql://no-such-host.invalid/x",
    ])
  func nobodyThere(url: String) async throws {
    do throws(StoreError) {
      _ = try await PostgresStore.open(url: url, environment: .system)
      Issue.record("opened")
    } catch {
      #expect(error.kind == .unavailable)
      #expect(error.detail?.isEmpty == false)
      #expect(!error.description.contains("secret"))
    }
  }

  @Test("Opening fails at once when the server does not know the user or the database")
  func wrongUser() async throws {
    try await withPostgres { place in
      for wrong in [place.url.replacing("tracseq@", with: "nobody:secret@"), place.url + "_not_there"] {
        do throws(StoreError) {
          _ = try await PostgresStore.open(url: wrong, environment: .system)
          Issue.record("opened")
        } catch {
          #expect(error.kind == .unavailable)
          #expect(!error.description.contains("secret"))
        }
      }
    }
  }

  @Test("A refused statement affects neither its session nor the statements around it")
  func pipelines() async throws {
    try await withPostgres { place in
      try await place.session { (connection) throws(PostgresError) in
        let one = PostgresStatement("one", "SELECT $1::int4")
        let divide = PostgresStatement("divide", "SELECT 1 / $1::int4")
        func call(_ statement: PostgresStatement, _ value: Int) -> PostgresCall {
          PostgresCall(statement) { $0.append(int4: value) }
        }
        for _ in 0..<2 {
          do throws(PostgresError) {
            _ = try connection.run([call(one, 1), call(divide, 0), call(one, 2)])
            Issue.record("divided")
          } catch {
            #expect(error.state == SQLState(code: "22012"))
            #expect(error.statement == 1)
          }
          let results = try connection.run([call(one, 7), call(divide, 1)])
          let value1 = try results.first?.first?.int4(0)
          #expect(value1 == 7)
          #expect(results.count == 2)
        }
      }
    }
  }

  @Test("Values are read as they were sent")
  func values() async throws {
    try await withPostgres { place in
      let id = place.environment.newID()
      let moment = Timestamp(milliseconds: -1)
      try await place.session { (connection) throws(PostgresError) in
        let echo = PostgresStatement("echo", "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9")
        let call = PostgresCall(echo) {
          $0.append(true)
          $0.append(int4: -5)
          $0.append(Int64.min)
          $0.append("né\u{1F9EA}")
          $0.append([0, 255])
          $0.append(id)
          $0.append(moment)
          $0.append(PostgresArray(["", "a,{\"}"]))
          $0.append(null: .text)
        }
        guard let row = try connection.run(call).first else { throw .unexpected("no row") }
        let value2 = try row.bool(0)
        #expect(value2)
        let value3 = try row.int4(1)
        #expect(value3 == -5)
        let value4 = try row.int8(2)
        #expect(value4 == .min)
        let value5 = try row.text(3)
        #expect(value5 == "né\u{1F9EA}")
        let value6 = try row.bytes(4)
        #expect(value6 == [0, 255])
        let value7 = try row.uuid(5)
        #expect(value7 == id)
        let value8 = try row.timestamp(6)
        #expect(value8 == moment)
        let value9 = try row.texts(7)
        #expect(value9 == ["", "a,{\"}"])
        let value10 = try row.isNull(8)
        #expect(value10)
        let empty = PostgresCall(PostgresStatement("empty", "SELECT $1::text[], $2::bytea")) {
          $0.append(PostgresArray([String]()))
          $0.append([UInt8]())
        }
        guard let row = try connection.run(empty).first else { throw .unexpected("no row") }
        let value11 = try row.texts(0).isEmpty
        #expect(value11)
        let value12 = try row.bytes(1).isEmpty
        #expect(value12)
      }
    }
  }
}
