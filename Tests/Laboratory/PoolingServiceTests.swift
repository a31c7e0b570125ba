import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("Pooling and flow cells, in process", .timeLimit(.minutes(15)), .inTurn)
struct PoolingServiceTests {
  private static let id = UniqueID.named("p").description
  private static let pool = "/pooling/pools/\(id)"
  private static let cell = "/sequencing/flow-cells/FC-7"
  private static let dilution: JSON = ["nM": 4, "volumeUl": 10]

  private static func library(_ barcode: String) -> String { "/pooling/libraries/\(barcode)" }

  private func receive(_ lab: LabBench, _ barcode: String, _ i7: String) async throws -> LabBench.Reply {
    try await lab.send(
      "PUT", Self.library(barcode), ["i7": .string(i7), "ngPerUl": 13.2, "sizeBp": 400, "volumeUl": 20],
      key: "receive \(barcode)")
  }

  private func lock(_ lab: LabBench, _ barcode: String) async throws -> LabBench.Reply {
    try await lab.send("PUT", Self.library(barcode) + "/locks/\(Self.id)", key: "lock \(barcode)")
  }

  @Test("Libraries are locked, checked, diluted and mixed, and their sheet has the lanes")
  func mixed() async throws {
    let lab = try await LabBench()
    #expect(try await receive(lab, "L-1", "ATTACTCG").body["nM"] == 50)
    _ = try await receive(lab, "L-2", "TCCGGAGA")
    #expect(try await lab.send("PUT", Self.pool, ["name": "POOL-7"], key: "o").body["status"] == "open")
    let check: JSON = ["barcodes": ["L-1", "L-2"], "leastDistance": 3]
    #expect(try await lab.send("POST", Self.pool + "/index-check", check, key: "c0").code == "pooling.notLocked")
    for barcode in ["L-1", "L-2"] { #expect(try await lock(lab, barcode).body["status"] == "locked") }
    let checked = try await lab.send("POST", Self.pool + "/index-check", check, key: "c")
    #expect(checked.status == 200 && checked.body["libraries"]?[1]?["i7"] == "TCCGGAGA")

    let approval: JSON = ["approvedBy": "ines"]
    #expect(try await lab.send("POST", Self.pool + "/mix", approval, key: "m0").code == "pooling.notDiluted")
    for barcode in ["L-1", "L-2"] {
      let diluted = try await lab.send(
        "PUT", Self.library(barcode) + "/dilutions/\(Self.id)", Self.dilution, key: "d \(barcode)")
      #expect(diluted.status == 201 && diluted.body["drawUl"] == 0.8 && diluted.body["diluentUl"] == 9.2)
    }
    let mixed = try await lab.send("POST", Self.pool + "/mix", approval, key: "m")
    #expect(mixed.body["volumeUl"] == 20 && mixed.body["approvedBy"] == "ines" && mixed.body["status"] == "mixed")
    #expect(try await lab.send("POST", Self.pool + "/qpcr", ["nM": 3.9], key: "q").body["status"] == "measured")
    for lanes: JSON in [[], ["FC-7/1", "FC-7/1"], ["FC-7/1", "FC-8/1"], ["FC-7"]] {
      let refused = try await lab.send("PUT", Self.pool + "/sample-sheet", ["lanes": lanes], key: "\(lanes.text())")
      #expect(refused.code == "lab.invalid", "\(lanes.text())")
    }
    let sheet = try await lab.send("PUT", Self.pool + "/sample-sheet", ["lanes": ["FC-7/2"]], key: "s")
    #expect(
      sheet.body["csv"] == "Lane,Sample_ID,index,index2\n2,L-1,ATTACTCG,\n2,L-2,TCCGGAGA,\n")
    #expect(try await lab.send("GET", Self.pool).body == sheet.body)

    // A repeat gets its first answer, although the library is unlocked now.
    let unlocked = try await lab.send("DELETE", Self.library("L-1") + "/locks/\(Self.id)", key: "u")
    #expect(unlocked.body["status"] == "received" && unlocked.body["volumeLeftUl"] == 19.2)
    #expect(try await lab.send("POST", Self.pool + "/index-check", check, key: "c") == checked)
    #expect(try await lab.send("POST", Self.pool + "/mix", approval, key: "m") == mixed)
    #expect(try await lab.send("DELETE", Self.pool, key: "v", compensates: "o").code == "pooling.wrongState")
    await lab.participants.close()
  }

  @Test("An undo that comes first keeps its command from taking effect")
  func undoneBefore() async throws {
    let lab = try await LabBench()
    _ = try await receive(lab, "L-1", "ATTACTCG")
    let path = Self.library("L-1") + "/locks/\(Self.id)"
    #expect(try await lab.send("DELETE", path, key: "u", compensates: "lock L-1").status == 404)
    #expect(try await lock(lab, "L-1").code == "lab.undoneBefore")
    #expect(try await lab.send("GET", Self.library("L-1")).body["status"] == "received")
    #expect(try await lab.send("DELETE", Self.pool, key: "v", compensates: "o").status == 404)
    #expect(try await lab.send("PUT", Self.pool, ["name": "POOL-7"], key: "o").code == "lab.undoneBefore")
    #expect(try await lab.send("PUT", Self.pool, ["name": "POOL-7"], key: "o2").code == "lab.undoneBefore")
    let reservation = Self.cell + "/reservations/\(Self.id)"
    #expect(try await lab.send("DELETE", reservation, key: "w", compensates: "r").status == 404)
    _ = try await lab.send("PUT", Self.cell, ["kind": "SP", "expiresOn": "2999-12-31"], key: "f")
    let wanted: JSON = ["poolId": "P-1", "lanes": 1]
    #expect(try await lab.send("PUT", reservation, wanted, key: "r").code == "lab.undoneBefore")
    #expect(try await lab.send("GET", Self.cell).body["free"] == ["FC-7/1", "FC-7/2"])
    await lab.participants.close()
  }

  @Test("A wrong body is refused with every place, and an unknown library by name")
  func refused() async throws {
    let lab = try await LabBench()
    let wrong: JSON = ["i7": "ACGU", "i5": "A", "ngPerUl": 0, "sizeBp": 10_001, "volumeUl": -1]
    let answer = try await lab.send("PUT", Self.library("L-1"), wrong, key: "1")
    #expect(
      answer.body["errors"]?.arrayValue?.map { $0["pointer"] } == ["/i7", "/i5", "/ngPerUl", "/sizeBp", "/volumeUl"])
    #expect(try await lab.send("GET", Self.library("L-1")).code == "lab.unknown")
    #expect(try await lab.send("GET", Self.pool).code == "lab.unknown")
    #expect(try await lab.send("GET", Self.cell).code == "lab.unknown")
    _ = try await receive(lab, "L-1", "ATTACTCG")
    for body: JSON in [["nM": 1_001, "volumeUl": 10], ["nM": 4, "volumeUl": 100.001], ["nM": 4]] {
      let diluted = try await lab.send("PUT", Self.library("L-1") + "/dilutions/\(Self.id)", body, key: body.text())
      #expect(diluted.code == "lab.invalid", "\(body.text())")
    }
    _ = try await lab.send("PUT", Self.pool, ["name": "POOL-7"], key: "o")
    let check: JSON = ["barcodes": ["L-9"], "leastDistance": 3]
    #expect(try await lab.send("POST", Self.pool + "/index-check", check, key: "c").code == "lab.unknown")
    let cell = try await lab.send("PUT", Self.cell, ["kind": "S5", "expiresOn": "soon"], key: "f")
    #expect(cell.body["errors"]?.arrayValue?.map { $0["pointer"] } == ["/kind", "/expiresOn"])
    let equipment: JSON = ["kind": "SP", "expiresOn": "2999-12-31"]
    #expect(try await lab.send("PUT", "/sequencing/flow-cells/NOVASEQ-1-FC1", equipment, key: "e").code == "lab.exists")
    await lab.participants.close()
  }

  @Test("A run books the lanes that are reserved for its pool, each once, and no other")
  func lanes() async throws {
    let lab = try await LabBench()
    _ = try await lab.send("PUT", Self.cell, ["kind": "S4", "expiresOn": "2999-12-31"], key: "f")
    for (id, pool, lanes) in [("a", "P-1", 2), ("b", "P-2", 1)] as [(String, JSON, JSON)] {
      let path = Self.cell + "/reservations/\(UniqueID.named(id))"
      let reserved = try await lab.send("PUT", path, ["poolId": pool, "lanes": lanes], key: id)
      #expect(reserved.status == 201 && reserved.body["poolId"] == pool && reserved.body["flowCell"] == "FC-7")
    }
    let wanted: JSON = ["poolId": "P-3", "lanes": 2]
    let more = Self.cell + "/reservations/\(UniqueID.named("c"))"
    #expect(try await lab.send("PUT", more, wanted, key: "c").code == "sequencing.lanesFull")
    #expect(try await lab.send("GET", Self.cell).body["free"] == ["FC-7/4"])

    func book(_ run: String, _ body: JSON, _ key: String) async throws -> LabBench.Reply {
      try await lab.send("POST", "/sequencing/runs/\(UniqueID.named(run))/lanes", body, key: key)
    }
    for run in ["r1", "r2"] {
      _ = try await lab.send(
        "PUT", "/sequencing/runs/\(UniqueID.named(run))", ["poolId": "P-1", "instrument": "NOVASEQ-1"], key: run)
    }
    let anyLane: JSON = ["flowCell": "FC-7"]
    #expect(try await book("r9", anyLane, "0").code == "lab.unknown")
    #expect(try await book("r1", ["flowCell": "FC-7", "lane": 5], "1").body["errors"]?[0]?["pointer"] == "/lane")
    #expect(try await book("r1", ["flowCell": "FC-7", "lane": 3], "2").code == "sequencing.laneNotReserved")
    #expect(try await book("r1", anyLane, "3").body["lanes"] == ["FC-7/1"])
    #expect(try await book("r2", ["flowCell": "FC-7", "lane": 1], "4").code == "sequencing.laneTaken")
    #expect(try await book("r2", anyLane, "5").body["lanes"] == ["FC-7/2"])
    #expect(try await book("r1", anyLane, "6").code == "sequencing.laneTaken")
    #expect(try await lab.send("POST", Self.cell + "/use", key: "x").body["status"] == "used")
    #expect(try await book("r1", anyLane, "7").code == "sequencing.flowCellUsed")
    #expect(try await book("r1", anyLane, "3").body["lanes"] == ["FC-7/1"])
    await lab.participants.close()
  }

  @Test("Many pools that ask at once get each lane once")
  func race() async throws {
    let lab = try await LabBench()
    _ = try await lab.send("PUT", Self.cell, ["kind": "S4", "expiresOn": "2999-12-31"], key: "f")
    let reserved = try await withThrowingTaskGroup(of: LabBench.Reply.self) { group in
      for number in 1...8 {
        let path = Self.cell + "/reservations/\(UniqueID.named("\(number)"))"
        group.addTask {
          var reply: LabBench.Reply
          // The laboratory tries a conflict once more, and then says so.
          repeat {
            reply = try await lab.send("PUT", path, ["poolId": .string("P-\(number)"), "lanes": 1], key: "k\(number)")
          } while reply.code == "lab.conflict"
          return reply
        }
      }
      return try await group.reduce(into: [LabBench.Reply]()) { $0.append($1) }
    }
    let lanes = reserved.compactMap { $0.body["lanes"]?[0]?.stringValue }
    #expect(lanes.sorted() == ["FC-7/1", "FC-7/2", "FC-7/3", "FC-7/4"])
    #expect(reserved.filter { $0.code == "sequencing.lanesFull" }.count == 4)
    await lab.participants.close()
  }
}
