import Dispatch
import Glibc
import Synchronization
import Testing
import VoltArchive
import VoltCore
import VoltSystem
import VoltTestKit

@Suite struct ContextRaceTests {
    @Test(
        "a directory of a context that becomes a link while it is copied brings no file from outside into the copy"
    )
    func raced() throws {
        let scratch = try ScratchDirectory()
        let root = scratch.path
        try Files.makeDirectory("\(root)/victim")
        try Files.replace("\(root)/victim/name", with: Array("secret".utf8))
        for index in 0..<20 {
            try Files.makeDirectory("\(root)/context/d\(index)")
            try Files.replace("\(root)/context/d\(index)/name", with: Array("mine".utf8))
        }
        let isOver = Atomic(false)
        let ended = DispatchSemaphore(value: 0)
        DispatchQueue.global().async {
            while !isOver.load(ordering: .relaxed) {
                for index in 0..<20 {
                    let place = "\(root)/context/d\(index)"
                    guard rename(place, "\(root)/aside") == 0 else { continue }
                    symlink("../victim", place)
                    unlink(place)
                    rename("\(root)/aside", place)
                }
            }
            ended.signal()
        }
        defer {
            isOver.store(true, ordering: .relaxed)
            ended.wait()
        }
        for round in 0..<100 {
            // Deeper than the context: there a link that was copied as one leads nowhere.
            let out = "\(root)/out/\(round)"
            try Files.makeDirectory(out)
            let copy = try TreeCopy(source: "\(root)/context", writer: try TreeWriter(root: out))
            do throws(VoltError) { try copy.addContents(of: .root, to: .root) } catch {}
            for index in 0..<20 {
                guard let bytes = try? Files.read("\(out)/d\(index)/name") else { continue }
                #expect(bytes != Array("secret".utf8), "round \(round)")
            }
        }
    }
}
