import Dispatch
import Synchronization
import Testing
import VoltCore
import VoltOCI
import VoltRegistry
import VoltSystem
import VoltTestKit

@Suite(.timeLimit(.minutes(2))) struct LayoutPlaceTests {
    @Test("several who make a layout at once all get into it")
    func race() throws {
        let scratch = try ScratchDirectory()
        let failures = Mutex<[String]>([])
        for round in 0..<5 {
            let directory = "\(scratch.path)/\(round)"
            DispatchQueue.concurrentPerform(iterations: 8) { number in
                do {
                    let place = try LayoutPlace(directory, makes: true)
                    let bytes = Array("{\"schemaVersion\":2,\"layers\":[],\"x\":\(number)}".utf8)
                    let manifest = try FetchedManifest(
                        digest: .of(bytes), mediaType: OCIMediaType.manifest, bytes: bytes)
                    try place.put(manifest, tag: try OCITagName("t\(number)"))
                } catch { failures.withLock { $0.append("\(error)") } }
            }
            let tags = try LayoutPlace(directory, makes: false).tags()
            #expect(Set(tags) == Set((0..<8).map { "t\($0)" }), "round \(round): \(tags)")
        }
        #expect(failures.withLock { $0 } == [])
    }

    @Test("of several who export to one directory one does, and the others are told")
    func writers() throws {
        let scratch = try ScratchDirectory()
        let made = Atomic<Int>(0)
        let conflicts = Atomic<Int>(0)
        for round in 0..<10 {
            DispatchQueue.concurrentPerform(iterations: 8) { _ in
                do throws(VoltError) {
                    _ = try OCILayoutWriter(directory: "\(scratch.path)/\(round)")
                    made.add(1, ordering: .relaxed)
                } catch { if error.code == .conflict { conflicts.add(1, ordering: .relaxed) } }
            }
        }
        #expect(made.load(ordering: .relaxed) == 10 && conflicts.load(ordering: .relaxed) == 70)
    }

    @Test("a directory with something else in it is no place for a layout, and stays as it is")
    func foreign() throws {
        let scratch = try ScratchDirectory()
        for name in ["notes", "index.json"] {
            let directory = "\(scratch.path)/of-\(name)"
            try Files.makeDirectory(directory)
            try Files.replace("\(directory)/\(name)", with: "x".utf8)
            let error = #expect(throws: VoltError.self) { _ = try LayoutPlace(directory, makes: true) }
            #expect(error?.code == .conflict)
            #expect(try Files.list(directory).filter { $0 != ".lock" } == [name])
            #expect(try Files.read("\(directory)/\(name)") == Array("x".utf8))
        }
    }
}
