import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("Quality control, in process", .timeLimit(.minutes(15)), .inTurn)
struct QualityServiceTests {
  private static let id = UniqueID.named("rv").description
  private static let limits: JSON = [
    "type": "rna", "leastNgPerUl": 20, "mostNgPerUl": 750, "leastUl": 10, "leastNg": 1000, "leastRin": 7,
  ]

  private func path(_ barcode: String, _ instrument: String) -> String {
    "/qc/measurements/\(Self.id)/\(barcode)/\(instrument)"
  }

  private func reserve(_ lab: LabBench, _ barcodes: JSON = ["TS-1", "TS-2"]) async throws -> LabBench.Reply {
    try await lab.send("PUT", "/qc/plates/QC-1/reservations/\(Self.id)", ["barcodes": barcodes], key: "reserve")
  }

  @Test("A sample is measured on two instruments, fails, and is recorded as the customer decides")
  func decided() async throws {
    let lab = try await LabBench()
    let reserved = try await reserve(lab)
    #expect(reserved.status == 201)
    #expect(
      reserved.body["wells"] == [["well": "A01", "barcode": "TS-1"], ["well": "A02", "barcode": "TS-2"]])
    let booking: JSON = ["plate": "QC-1", "aliquot": "TS-2-QC"]
    let booked = try await lab.send("PUT", path("TS-2", "fluorometer"), booking, key: "f", saga: "saga")
    #expect(booked.status == 201 && booked.body["well"] == "A02" && booked.body["status"] == "booked")
    _ = try await lab.send("PUT", path("TS-2", "fragment-analyzer"), booking, key: "g", saga: "saga")
    let decision = "/qc/decisions/\(Self.id)/TS-2"
    #expect(try await lab.send("PUT", decision, Self.limits, key: "e").code == "qc.notMeasured")

    lab.clock.advance(by: .seconds(10))
    #expect(try await lab.send("GET", path("TS-2", "fluorometer")).body["ngPerUl"] == 120)
    let late: JSON = ["ngPerUl": 8, "volumeUl": 12]
    #expect(try await lab.send("POST", path("TS-2", "fluorometer") + "/result", late, key: "l").code == "qc.wrongState")
    let fragments: JSON = ["sizeBp": 210, "rin": 4.2]
    let recorded = try await lab.send("POST", path("TS-2", "fragment-analyzer") + "/result", fragments, key: "r")
    #expect(recorded.body["rin"] == 4.2 && recorded.body["status"] == "recorded")

    let evaluated = try await lab.send("PUT", decision, Self.limits, key: "e", saga: "saga")
    #expect(evaluated.status == 201 && evaluated.body["verdict"] == "fail" && evaluated.body["massNg"] == 1440)
    #expect(evaluated.body["reasons"] == ["RIN 4.2 is below 7"])
    #expect(try await lab.send("POST", "\(decision)/answer", ["decision": "wait"], key: "a").code == "lab.invalid")
    _ = try await lab.send("POST", "\(decision)/answer", ["decision": "proceed"], key: "a2")
    let final = try await lab.send("POST", "\(decision)/record", key: "d")
    #expect(final.body["outcome"] == "atRisk")
    #expect(try await lab.send("GET", decision).body == final.body)
    let listed = try await lab.send("GET", "/qc/decisions?plate=QC-1&outcome=atRisk&sagaId=saga").body["items"]
    #expect(listed?.arrayValue?.map { $0["barcode"] } == ["TS-2"])
    #expect(try await lab.send("GET", "/qc/decisions?barcode=TS-1").body["items"] == [])
    // A repeat gets its first answer, although the measurement is cancelled now.
    _ = try await lab.send("DELETE", path("TS-2", "fluorometer"), key: "u", compensates: "f")
    #expect(try await lab.send("PUT", decision, Self.limits, key: "e") == evaluated)
    await lab.participants.close()
  }

  @Test("Wells are reserved for samples that differ, and a released well measures nothing")
  func wells() async throws {
    let lab = try await LabBench()
    let wrong = try await reserve(lab, ["TS-1", "", "TS-1"])
    #expect(wrong.code == "lab.invalid")
    #expect(wrong.body["errors"]?.arrayValue?.map { $0["pointer"] } == ["/barcodes/1", "/barcodes/2"])
    #expect(try await reserve(lab, []).body["errors"]?[0]?["pointer"] == "/barcodes")
    #expect(try await lab.send("GET", "/qc/plates/QC-1").code == "lab.unknown")
    _ = try await reserve(lab)
    let plate = try await lab.send("GET", "/qc/plates/QC-1").body
    #expect(plate["free"] == 94 && plate["wells"]?[1]?["reservationId"] == .string(Self.id))
    let booking: JSON = ["plate": "QC-1"]
    #expect(try await lab.send("PUT", path("TS-9", "fluorometer"), booking, key: "1").code == "qc.notReserved")
    #expect(try await lab.send("PUT", path("TS-1", "balance"), booking, key: "2").code == "lab.invalid")
    let reservation = "/qc/plates/QC-1/reservations/\(Self.id)"
    let released = try await lab.send("DELETE", reservation, key: "u", compensates: "reserve")
    #expect(released.status == 200 && released.body["status"] == "released")
    #expect(try await lab.send("PUT", path("TS-1", "fluorometer"), booking, key: "3").code == "qc.notReserved")
    #expect(try await lab.send("DELETE", reservation, key: "v", compensates: "reserve").status == 410)
    await lab.participants.close()
  }

  @Test("An undo that comes first keeps its command from taking effect")
  func undoneBefore() async throws {
    let lab = try await LabBench()
    let reservation = "/qc/plates/QC-1/reservations/\(Self.id)"
    #expect(try await lab.send("DELETE", reservation, key: "u", compensates: "reserve").status == 404)
    #expect(try await reserve(lab).code == "lab.undoneBefore")
    #expect(try await lab.send("DELETE", path("TS-1", "fluorometer"), key: "w", compensates: "f").status == 404)
    _ = try await lab.send("PUT", reservation, ["barcodes": ["TS-1"]], key: "again")
    let booking: JSON = ["plate": "QC-1"]
    #expect(try await lab.send("PUT", path("TS-1", "fluorometer"), booking, key: "f").code == "lab.undoneBefore")
    #expect(try await lab.send("PUT", path("TS-1", "fluorometer"), booking, key: "g").code == "lab.undoneBefore")
    await lab.participants.close()
  }

  @Test("A void aliquot is booked as a loss of its tube, and its barcode leads to the tube")
  func loss() async throws {
    let lab = try await LabBench()
    _ = try await lab.send("PUT", LabBench.sample("s"), LabBench.tube("TS-1"), key: "k")
    _ = try await lab.send("POST", LabBench.sample("s") + "/validation", key: "v")
    let aliquot = LabBench.sample("s") + "/aliquots/\(UniqueID.named("a"))"
    let body: JSON = ["barcode": "TS-1-QC", "volumeMl": 0.012]
    #expect(try await lab.send("PUT", aliquot, body, key: "a").body["volumeLostMl"] == nil)
    let voided = try await lab.send("DELETE", aliquot, key: "u", compensates: "a").body
    #expect(voided["volumeLostMl"] == 0.012 && voided["volumeLeftMl"] == 4.488)
    let parent = try await lab.send("GET", "/samples/barcodes/TS-1-QC").body
    #expect(parent["barcode"] == "TS-1" && parent["aliquots"]?[0]?["status"] == "voided")
    await lab.participants.close()
  }
}
