//! Tests weight files: every form gives the same network, weights are found in their usual places, and damaged or
//! hostile files give an error and do no harm.

mod common;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use common::{picture, scratch, write_network};
use style_engine::networks::vgg::{Layer, Vgg};
use style_engine::normalization::Input;
use style_engine::pooling::Pooling;
use style_engine::{Error, weights};
use tch::{Device, Kind, Tensor};
use zip::CompressionMethod::{self, Deflated, Stored};
use zip::write::SimpleFileOptions;

/// A slim VGG to conv3_2.
const SLIM: [(usize, i64); 6] = [(0, 4), (2, 4), (5, 6), (7, 6), (10, 8), (12, 8)];

/// The variants in which `checkpoints.py` saves the base network with torch.
const TORCH_FORMS: [&str; 11] = [
    "",
    "-parameters",
    "-protocol4",
    "-protocol5",
    "-half",
    "-bfloat16",
    "-double",
    "-views",
    "-prefix",
    "-bare",
    "-training",
];

/// A folder with the base network in every form. Its weights can be represented exactly in every float type.
static FORMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = scratch("forms");
    write_network(&folder.join("raw.safetensors"), &SLIM);
    let exact = |tensor: Tensor| tensor.to_kind(Kind::BFloat16).to_kind(Kind::Half).to_kind(Kind::Float);
    let base: Vec<(String, Tensor)> = Tensor::read_safetensors(folder.join("raw.safetensors")).unwrap();
    let base: Vec<_> = base.into_iter().map(|(name, tensor)| (name, exact(tensor))).collect();
    for (name, kind) in [("base", Kind::Float), ("half", Kind::Half), ("bfloat16", Kind::BFloat16)] {
        let tensors: Vec<_> = base.iter().map(|(name, tensor)| (name, tensor.to_kind(kind))).collect();
        Tensor::write_safetensors(&tensors, folder.join(name).with_extension("safetensors")).unwrap();
    }
    let named: Vec<_> = base.iter().map(|(name, tensor)| (name, tensor)).collect();
    Tensor::save_multi(&named, folder.join("tch.ot")).unwrap();
    Tensor::write_npz(&named, folder.join("base.npz")).unwrap();
    let values: Vec<f32> = Vec::try_from(picture(1, 24, 32).flatten(0, -1)).unwrap();
    fs::write(folder.join("picture.raw"), values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
        .unwrap();
    let _ = fs::remove_file(folder.join("ran"));

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints.py");
    // Debian's Python and PyTorch: PyTorch's wheel cannot be imported without its CUDA libraries.
    let output = Command::new("/usr/bin/python3").arg(script).arg(&folder).env("PYTHONDONTWRITEBYTECODE", "1").output();
    let output = output.expect("scripts/setup --tests installs Python with PyTorch");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
});

fn load(path: &Path) -> Result<Vgg, Error> {
    weights::load(path, Device::Cpu)
}

/// The reason why a file is refused. The message must also name the file.
fn refused(path: &Path) -> String {
    let message = match load(path) {
        Err(error @ (Error::Unreadable { .. } | Error::NotVgg { .. })) => error.to_string(),
        other => panic!("{}: {:?}", path.display(), other.map(|_| "loaded")),
    };
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    message
}

/// Prints a row of the table in docs/reliability.md, for scripts/reliability.
fn report(test: &str, cases: usize, outcome: &str) {
    println!("| {test} | {cases} | {outcome} |");
}

fn features(network: &Vgg) -> Vec<Tensor> {
    let layers: Vec<_> = network.feature_layers().filter(|layer| layer.rectified).collect();
    let fed = network.input.on(Device::Cpu).unwrap().apply(&picture(1, 24, 32)).unwrap();
    network.features(&fed, &layers, Pooling::Max).unwrap()
}

/// The convolutions must be identical. The features may differ in the last bit, which depends on tensors' alignment.
fn assert_same(network: &Vgg, expected: &Vgg, name: &str) {
    assert!(network.feature_layers().eq(expected.feature_layers()), "{name}");
    for (conv, expected) in network.convs.iter().zip(&expected.convs) {
        assert!(conv.weight.equal(&expected.weight) && conv.bias.equal(&expected.bias), "{name}, {:?}", conv.layer);
    }
    for (result, expected) in features(network).iter().zip(features(expected)) {
        assert!(result.allclose(&expected, 1e-5, 1e-6, false), "{name}");
    }
}

/// The comparison must fail if a single number differs.
#[test]
#[should_panic(expected = "one other bias")]
fn another_bias_is_noticed() {
    let path = scratch("another-bias").join("network.safetensors");
    write_network(&path, &SLIM);
    let [expected, network] = [load(&path), load(&path)].map(Result::unwrap);
    let _ = network.convs[5].bias.get(0).fill_(0.5);
    assert_same(&network, &expected, "one other bias");
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn every_form_gives_the_same_network() {
    let expected = load(&FORMS.join("base.safetensors")).unwrap();
    let mut names: Vec<_> =
        ["half.safetensors", "bfloat16.safetensors", "tch.ot", "script.pt", "python2.pth"].map(str::to_owned).into();
    for form in ["zip", "legacy"] {
        names.extend(TORCH_FORMS.map(|variant| format!("{form}{variant}.pth")));
    }
    for name in names {
        // The form must be detected from the content, not from the name.
        let path = FORMS.join(format!("{name}.renamed"));
        fs::copy(FORMS.join(&name), &path).unwrap();
        let network = load(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_same(&network, &expected, &name);
    }
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn a_deflated_archive_loads() {
    let path = FORMS.join("deflated.pth");
    let mut archive = zip::ZipArchive::new(fs::File::open(FORMS.join("zip-views.pth")).unwrap()).unwrap();
    let mut entries = Vec::new();
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).unwrap();
        let mut bytes = Vec::new();
        std::io::copy(&mut entry, &mut bytes).unwrap();
        entries.push((entry.name().unwrap().to_string(), bytes));
    }
    write_zip(&path, Deflated, &entries);
    assert_same(&load(&path).unwrap(), &load(&FORMS.join("base.safetensors")).unwrap(), "deflated");
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn batch_normalization_is_folded_and_gives_torchs_features() {
    let network = load(&FORMS.join("norm.pth")).unwrap();
    let layers: Vec<_> =
        network.feature_layers().filter(|layer| layer.rectified).map(|layer| layer.to_string()).collect();
    assert_eq!(layers, ["relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2"]);
    let expected = raw(&FORMS.join("norm.raw"));
    let mut start = 0;
    for result in features(&network) {
        let expected = Tensor::from_slice(&expected[start..][..result.numel()]).view_as(&result);
        assert!(result.allclose(&expected, 1e-4, 1e-4, false), "{:?}", (result - expected).abs().max());
        start += expected.numel();
    }
    assert_eq!(start, expected.len());
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn caffe_weights_get_caffes_input_normalization() {
    let network = load(&FORMS.join("gatys.pth")).unwrap();
    let layers: Vec<_> =
        network.feature_layers().filter(|layer| layer.rectified).map(|layer| layer.to_string()).collect();
    assert_eq!(layers, ["relu1_1", "relu1_2", "relu2_1"]);
    let expected = Tensor::from_slice(&raw(&FORMS.join("gatys.raw"))).view([1, 4, 24, 32]);
    let result = &features(&network)[0];
    assert!(result.allclose(&expected, 1e-4, 1e-3, false), "{:?}", (result - &expected).abs().max());
}

#[test]
fn caffe_weights_with_torchvisions_tensor_names_are_detected_by_the_file_name() {
    let input = |name: &str| {
        let path = scratch("caffe-names").join(name);
        write_network(&path, &[(0, 4), (2, 4)]);
        load(&path).unwrap().input
    };
    assert_eq!(input("vgg19-d01eb7cb.pth"), Input::Caffe);
    assert_eq!(input("my-vgg16-00b39a1b.safetensors"), Input::Caffe);
    assert_eq!(input("vgg19-dcbb9e9d.pth"), Input::ImageNet);
}

fn raw(path: &Path) -> Vec<f32> {
    fs::read(path).unwrap().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

fn write_zip(path: &Path, method: CompressionMethod, entries: &[(String, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in entries {
        archive.start_file(name.as_str(), SimpleFileOptions::default().compression_method(method)).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

/// Writes a pickle and storages in torch's zip format.
fn as_zip(path: &Path, pickle: &[u8], storages: &[(&str, Vec<u8>)]) {
    let mut entries = vec![("archive/data.pkl".to_owned(), pickle.to_owned())];
    entries.extend(storages.iter().map(|(key, bytes)| (format!("archive/data/{key}"), bytes.clone())));
    write_zip(path, Stored, &entries);
}

/// Writes a pickle and storages in torch's legacy format.
fn as_stream(path: &Path, pickle: &[u8], storages: &[(&str, Vec<u8>)]) {
    let mut file = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.".to_vec();
    file.extend(pickle);
    file.extend(b"\x80\x02]");
    for (key, _) in storages {
        file.extend([text(key), b"a".to_vec()].concat());
    }
    file.push(b'.');
    for (_, bytes) in storages {
        file.extend((bytes.len() as u64 / 4).to_le_bytes());
        file.extend(bytes);
    }
    fs::write(path, file).unwrap();
}

/// The pickle opcode for a text.
fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

/// The pickle opcode for an integer.
fn integer(value: i64) -> Vec<u8> {
    [b"\x8a\x08", &value.to_le_bytes()[..]].concat()
}

fn tuple(items: &[i64]) -> Vec<u8> {
    [b"(".to_vec(), items.iter().flat_map(|&item| integer(item)).collect(), b"t".to_vec()].concat()
}

/// The pickle opcodes for a tensor: a view of the storage `key`, which has `length` floats.
fn tensor(key: &str, length: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let storage =
        [b"(".to_vec(), text("storage"), b"ctorch\nFloatStorage\n".to_vec(), text(key), text("cpu"), integer(length)];
    let call = b"ctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
    [call, storage.concat(), b"tQ".to_vec(), integer(offset), tuple(shape), tuple(strides), b"\x89}tR".to_vec()]
        .concat()
}

/// The pickle of a dict. The values are opcodes.
fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = items.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
    [b"\x80\x02}(", &items[..], b"u."].concat()
}

/// The pickle of a network with one convolution. The weight is given as opcodes.
fn one_conv(weight: Vec<u8>) -> Vec<u8> {
    dict(&[("features.0.weight", weight), ("features.0.bias", tensor("b", 2, 0, &[2], &[1]))])
}

fn storages() -> [(&'static str, Vec<u8>); 2] {
    [("w", vec![0; 4 * 54]), ("b", vec![0; 4 * 2])]
}

/// The reason why this pickle is refused. It must be refused in both of torch's formats.
fn pickle_refused(folder: &Path, pickle: &[u8]) -> String {
    let (zip, stream) = (folder.join("hostile.zip"), folder.join("hostile.stream"));
    as_zip(&zip, pickle, &storages());
    as_stream(&stream, pickle, &storages());
    refused(&stream);
    refused(&zip)
}

/// The process's peak memory, in MiB.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() / 1024
}

/// A limit for the peak memory, in MiB: above what libtorch and the tests need, and below what a decompressed bomb
/// needs.
const MAX_PEAK: usize = 1000;

#[test]
fn the_base_of_the_hostile_files_loads() {
    let folder = scratch("by-hand");
    let pickle = one_conv(tensor("w", 54, 0, &[2, 3, 3, 3], &[27, 9, 3, 1]));
    for (name, make) in [("zip", as_zip as fn(&Path, &[u8], &[(&str, Vec<u8>)])), ("stream", as_stream)] {
        make(&folder.join(name), &pickle, &storages());
        assert_eq!(load(&folder.join(name)).unwrap_or_else(|error| panic!("{error}")).convs.len(), 1);
    }
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn code_in_pickles_is_refused_and_not_run() {
    for name in ["hostile-zip.pth", "hostile-legacy.pth"] {
        let reason = refused(&FORMS.join(name));
        assert!(reason.contains("posix.system") && reason.contains("run code"), "{reason}");
    }
    assert!(!FORMS.join("ran").exists());

    let folder = scratch("calls");
    let stack_global = [b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93", &text("1")[..], b"\x85R."].concat();
    let calls = [
        ("os.system", &b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R."[..]),
        ("builtins.eval", &stack_global),
        ("posix.system", b"\x80\x02cposix\nsystem\n}b."),
        ("subprocess.Popen", b"\x80\x02csubprocess\nPopen\n)\x81."),
        ("subprocess.Popen", b"\x80\x04csubprocess\nPopen\n)}\x92."),
        ("os.system", b"\x80\x02(X\x04\0\0\0trueios\nsystem\n."),
        ("os.system", b"\x80\x02(cos\nsystem\nX\x04\0\0\0trueo."),
        // The name of an allowed function in another module, and a call of a call's result.
        ("evil._rebuild_tensor_v2", b"\x80\x02cevil\n_rebuild_tensor_v2\n)R."),
        ("not a function", b"\x80\x02ccollections\nOrderedDict\n)R)R."),
    ];
    for (name, pickle) in calls {
        let reason = pickle_refused(&folder, pickle);
        assert!(reason.contains(name) && reason.contains("run code"), "{name}: {reason}");
    }
    report(
        "weight files whose pickles would run code, in both of torch's formats",
        2 * (1 + calls.len()),
        "refused; nothing is run",
    );
}

#[test]
fn damaged_pickles_are_refused() {
    let folder = scratch("pickles");
    let pickles = [
        &b""[..],
        b".",
        b"\x80\x02.",
        b"\x80\x01N.",
        b"\x80\x02(.",
        b"\x80\x02(t",
        b"\x80\x02N(0s.",
        b"\x80\x02u.",
        b"\x80\x02}(Nu.",
        b"\x80\x02}Na.",
        b"\x80\x02]NNs.",
        b"\x80\x02h\x05.",
        b"\x80\x02q\x05.",
        b"\x80\x02NR.",
        b"\x80\x02b.",
        b"\x80\x02NNb.",
        b"\x80\x02NN\x93.",
        b"\x80\x02cno\nend",
        b"\x80\x02Pname\n.",
        b"\x80\x02\x82\x01.",
        // Lengths beyond the end of the file.
        b"\x80\x02X\xff\xff\xff\xffa.",
        b"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.",
        b"\x80\x02\x8b\xff\xff\xff\x7fa.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7fa.",
        // A memo with very large indices.
        b"\x80\x02Nr\xff\xff\xff\xff0j\xfe\xff\xff\xff.",
    ];
    for pickle in pickles {
        pickle_refused(&folder, pickle);
    }
    report("weight files with damaged pickles, in both of torch's formats", 2 * pickles.len(), "refused");
}

#[test]
fn decompression_bombs_are_refused_without_using_much_memory() {
    let folder = scratch("bombs");
    let repeat = |bytes: &[u8], count: usize| bytes.repeat(count);
    let many = 200_000;

    // Deeply nested lists and dicts.
    pickle_refused(&folder, &[&b"\x80\x02"[..], &repeat(b"]", many), &repeat(b"a", many - 1), b"."].concat());
    pickle_refused(&folder, &[&b"\x80\x02"[..], &repeat(b"}U\x01a", many), b"N", &repeat(b"s", many), b"."].concat());
    // A dict with ten references to a dict with ten references to a dict, and so on: 10^40 entries in total.
    let mut doubling = b"\x80\x02}q\0".to_vec();
    for depth in 0..40 {
        doubling.extend(b"}(");
        (b'a'..=b'j').for_each(|key| doubling.extend([b'U', 1, key, b'h', depth]));
        doubling.extend([b'u', b'q', depth + 1]);
    }
    pickle_refused(&folder, &[&doubling[..], b"."].concat());
    // A dict that contains itself.
    pickle_refused(&folder, b"\x80\x02}q\0U\x01ah\0s.");
    // A long list that is converted to a dict many times, and a long name that is joined many times.
    let pairs = repeat(b"](U\x01aNe", 1).repeat(many / 8);
    let again = repeat(b"ccollections\nOrderedDict\nh\x01\x85R", many / 8);
    pickle_refused(&folder, &[&b"\x80\x02](](q\x01"[..], &pairs, b"e", &again, b"e."].concat());
    let long = text(&"a".repeat(many));
    let reason =
        pickle_refused(&folder, &[b"\x80\x04", &long[..], b"q\0", &repeat(b"h\0h\0\x93", many), b"."].concat());
    assert!(reason.contains("damaged"), "{reason}");

    // A pickle of 256 MiB that is compressed to very little.
    let path = folder.join("deflated.pth");
    write_zip(&path, Deflated, &[("a/data.pkl".into(), vec![b']'; 256 << 20])]);
    refused(&path);
    // A storage that is compressed to very little; a tensor has its first and its last element.
    let far = 128 << 20;
    let pickle = one_conv(tensor("w", far, 0, &[2, 3, 3, 3], &[far - 27, 9, 3, 1]));
    let mut entries = vec![("a/data.pkl".to_owned(), pickle), ("a/data/w".to_owned(), vec![0; 4 * far as usize])];
    entries.push(("a/data/b".to_owned(), vec![0; 8]));
    write_zip(&path, Deflated, &entries);
    drop(entries);
    let reason = refused(&path);
    assert!(reason.contains("features.0.weight") && reason.contains("memory"), "{reason}");
    assert!(peak() < MAX_PEAK, "{} MiB", peak());
}

#[test]
fn impossible_tensors_are_refused() {
    let folder = scratch("tensors");
    let shape = [2, 3, 3, 3];
    let strides = [27, 9, 3, 1];
    for (weight, word) in [
        (tensor("w", 54, 1, &shape, &strides), "past the end"),
        (tensor("w", 54, i64::MAX, &shape, &strides), ""),
        (tensor("w", 54, -1, &shape, &strides), "damaged"),
        (tensor("w", 54, 0, &shape, &[28, 9, 3, 1]), "past the end"),
        (tensor("w", 54, 0, &shape, &[i64::MAX, 9, 3, 1]), "overflows"),
        (tensor("w", 54, 0, &shape, &[-27, 9, 3, 1]), "overflows"),
        (tensor("w", 54, 0, &shape, &[27, 9, 3]), "damaged"),
        (tensor("w", 54, 0, &[i64::MAX, 3, 3, 3], &strides), ""),
        (tensor("w", 54, 0, &[-2, 3, 3, 3], &strides), "[-2, 3, 3, 3]"),
        (tensor("w", 54, 0, &[0, 3, 3, 3], &strides), "[0, 3, 3, 3]"),
        (tensor("w", 54, 0, &[1; 9], &[1; 9]), "damaged"),
        (tensor("other", 54, 0, &shape, &strides), ""),
        (b"ctorch._utils\n_rebuild_tensor_v2\n)R".to_vec(), "damaged"),
        (b"ctorch._utils\n_rebuild_parameter\n)R".to_vec(), "damaged"),
        (b"ctorch.nn.parameter\nParameter\n)\x81".to_vec(), "damaged"),
        (b"ctorch.nn.parameter\nParameter\n)\x81q\x09(h\x09tb".to_vec(), "damaged"),
    ] {
        let reason = pickle_refused(&folder, &one_conv(weight));
        assert!(reason.contains("features.0") && reason.contains(word), "{word}: {reason}");
    }
    // With strides of 0, a few elements can stand for any number.
    let out = 1 << 40;
    let bias = tensor("b", 2, 0, &[out], &[0]);
    let weight = tensor("w", 54, 0, &[out, 3, 3, 3], &[0, 0, 0, 0]);
    let reason = pickle_refused(&folder, &dict(&[("features.0.weight", weight), ("features.0.bias", bias)]));
    assert!(reason.contains("memory"), "{reason}");
    assert!(peak() < MAX_PEAK, "{} MiB", peak());
}

#[test]
fn false_sizes_in_an_archive_are_refused() {
    let folder = scratch("archives");
    let path = folder.join("claims.pth");
    as_zip(&path, &one_conv(tensor("w", 54, 0, &[2, 3, 3, 3], &[27, 9, 3, 1])), &storages());
    let bytes = fs::read(&path).unwrap();
    let central = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let end = bytes.windows(4).position(|window| window == b"PK\x05\x06").unwrap();
    // Sets each field of the first entry and of the end record to its largest values.
    let fields = (8..46).step_by(2).map(|field| central + field).chain((4..22).step_by(2).map(|field| end + field));
    for field in fields {
        for claim in [&[0xff, 0xff][..], &[0xff, 0xff, 0xff, 0xff], &[0xff, 0xff, 0xff, 0x7f]] {
            let mut claims = bytes.clone();
            let claimed = claims.len().min(field + claim.len());
            claims[field..claimed].copy_from_slice(&claim[..claimed - field]);
            fs::write(&path, &claims).unwrap();
            let _ = load(&path);
        }
    }
    // A ZIP64 end record with impossible counts and sizes.
    for claim in [u64::MAX, u64::MAX >> 1, 1 << 40] {
        let mut claims = bytes[..end].to_vec();
        let at = claims.len() as u64;
        claims.extend(b"PK\x06\x06");
        claims.extend(44_u64.to_le_bytes());
        claims.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        [claim, claim, claim, claim >> 1].iter().for_each(|field| claims.extend(field.to_le_bytes()));
        claims.extend(b"PK\x06\x07\0\0\0\0");
        claims.extend(at.to_le_bytes());
        claims.extend([1, 0, 0, 0]);
        claims.extend(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0");
        fs::write(&path, claims).unwrap();
        refused(&path);
    }
    assert!(peak() < MAX_PEAK, "{} MiB", peak());
}

#[test]
fn false_headers_of_safetensors_are_refused() {
    let path = scratch("headers").join("header.safetensors");
    let conv = |dtype: &str, shape: &str, offsets: &str| {
        format!(
            r#"{{"features.0.weight":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}},
                "features.0.bias":{{"dtype":"F32","shape":[2],"data_offsets":[216,224]}}}}"#
        )
    };
    let write = |length: Option<u64>, header: &str| {
        let length = length.unwrap_or(header.len() as u64).to_le_bytes();
        fs::write(&path, [&length, header.as_bytes(), &[0; 224][..]].concat()).unwrap();
    };
    let valid = conv("F32", "[2,3,3,3]", "[0,216]");
    write(None, &valid);
    load(&path).unwrap();
    let headers = [
        (Some(u64::MAX), valid.clone()),
        (Some(1 << 40), valid.clone()),
        (Some(3), valid.clone()),
        (None, valid.replace("}}", "}")),
        (None, "{".repeat(100_000)),
        (None, format!("{{\"a\":{}", "[".repeat(100_000))),
        (None, r#"{"features.0.weight":7}"#.into()),
        (None, conv("F32", "[2,3,3,3]", "[0,212]")),
        (None, conv("F32", "[2,3,3,3]", "[216,0]")),
        (None, conv("F32", "[2,3,3,3]", "[0,18446744073709551615]")),
        (None, conv("F32", "[2,3,3,3]", "[-1,216]")),
        (None, conv("F32", "[9223372036854775807,3,3,3]", "[0,216]")),
        (None, conv("F32", "[1,1,1,1,1,1,1,1,54]", "[0,216]")),
        (None, conv("I32", "[2,3,3,3]", "[0,216]")),
        (None, conv("F8_E5M2", "[2,3,3,3]", "[0,216]")),
    ];
    let cases = headers.len();
    for (length, header) in headers {
        write(length, &header);
        refused(&path);
    }
    report("safetensors with false headers: sizes, shapes, offsets, types", cases, "refused");
}

#[test]
#[ignore = "needs scripts/setup --tests"]
fn truncated_files_are_refused_and_damaged_files_do_no_harm() {
    let path = scratch("truncated").join("file");
    let forms = ["base.safetensors", "tch.ot", "zip.pth", "legacy.pth", "legacy-views.pth", "python2.pth", "script.pt"];
    let (mut truncated, mut changed) = (0, 0);
    for form in forms {
        let whole = fs::read(FORMS.join(form)).unwrap();
        let ends = (0..whole.len()).step_by(whole.len() / 150).chain(0..64).chain(whole.len() - 64..whole.len());
        for end in ends {
            fs::write(&path, &whole[..end]).unwrap();
            assert!(refused(&path).len() > 20, "{form} to {end}");
            truncated += 1;
        }
        // Changes bytes at the beginning and the end of the file, where the pickle or header is.
        for i in (0..whole.len().min(4000)).chain(whole.len() - 200..whole.len()).step_by(3) {
            let mut damaged = whole.clone();
            damaged[i] = damaged[i].wrapping_mul(31).wrapping_add(0x55);
            fs::write(&path, damaged).unwrap();
            let _ = load(&path);
            changed += 1;
        }
    }
    assert!(peak() < MAX_PEAK, "{} MiB", peak());
    report("weight files in seven formats, truncated at any place", truncated, "an error that names the file");
    report("weight files in seven formats with a changed byte", changed, "load, or an error that names the file");
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let path = scratch("numbers").join("vgg19.safetensors");
    let convolution = [("0.weight", vec![4, 3, 3, 3]), ("0.bias", vec![4])];
    let norm = ["1.weight", "1.bias", "1.running_mean", "1.running_var"].map(|part| (part, vec![4]));
    let parts = [&convolution[..], &norm].concat();
    let written_with = |part: &str, number: f64| {
        let tensor = |(name, size): &(&str, Vec<i64>)| {
            let tensor = Tensor::ones(size, (Kind::Float, Device::Cpu));
            let _ = tensor.flatten(0, -1).get(1).fill_(if *name == part { number } else { 1.0 });
            (format!("features.{name}"), tensor)
        };
        Tensor::write_safetensors(&parts.iter().map(tensor).collect::<Vec<_>>(), &path).unwrap();
    };
    written_with("0.bias", 1.0);
    load(&path).unwrap();
    let cases =
        [("0.weight", f64::NAN), ("0.bias", f64::INFINITY), ("1.running_var", -1.0), ("1.running_mean", f64::NAN)];
    for (part, number) in cases {
        written_with(part, number);
        let reason = refused(&path);
        assert!(reason.contains("features.0") && reason.contains("finite"), "{reason}");
    }
    report("weight files with NaN, infinity, a negative variance", cases.len(), "refused");
}

#[test]
fn errors_for_other_files_say_what_they_are() {
    let folder = scratch("other-files");
    let path = folder.join("vgg19.pth");
    for (content, word) in [
        (&b""[..], "empty"),
        (b"\n<!DOCTYPE html><html><body>Not Found</body></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 574673361\n", "Git LFS"),
        (b"\x89HDF\r\n\x1a\n", "Keras"),
        (b"\x80\x02}.", "pickle"),
        (b"some words", "damaged"),
    ] {
        fs::write(&path, content).unwrap();
        let reason = refused(&path);
        assert!(reason.contains(word), "{reason}");
    }
    write_zip(&path, Stored, &[("readme.txt".into(), b"weights".into())]);
    assert!(refused(&path).contains("torch.save"));
    assert!(refused(&folder).contains("folder"));
    assert!(refused(Path::new("/dev/zero")).contains("regular file"));
    assert!(matches!(load(&folder.join("none")), Err(Error::NotFound(path)) if path == folder.join("none")));
}

#[test]
fn tensors_that_are_not_needed_are_not_read() {
    // A classifier of 16 GiB, which is a hole in a sparse file.
    let path = scratch("classifier").join("large.safetensors");
    let large = 16_u64 << 30;
    let header = format!(
        r#"{{"__metadata__":{{"format":"pt"}},
            "classifier.0.weight":{{"dtype":"F32","shape":[{}],"data_offsets":[224,{}]}},
            "features.0.weight":{{"dtype":"F32","shape":[2,3,3,3],"data_offsets":[0,216]}},
            "features.0.bias":{{"dtype":"F32","shape":[2],"data_offsets":[216,224]}}}}"#,
        large / 4,
        224 + large
    );
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len(8 + header.len() as u64 + 224 + large).unwrap();
    load(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(peak() < MAX_PEAK, "{} MiB", peak());
}

#[test]
fn errors_name_the_tensor_that_does_not_fit() {
    let path = scratch("misfits").join("network.safetensors");
    let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
    let conv = |name: &str, out: i64, input: i64| {
        [(format!("{name}.weight"), zeros(&[out, input, 3, 3])), (format!("{name}.bias"), zeros(&[out]))]
    };
    let norm = |name: &str, parts: &[&str]| -> Vec<_> {
        parts.iter().map(|part| (format!("{name}.{part}"), zeros(&[4]))).collect()
    };
    let all = ["weight", "bias", "running_mean", "running_var"];
    let network = |parts: &[&[(String, Tensor)]]| {
        let tensors: Vec<_> = parts.iter().flat_map(|part| part.iter().map(|(name, tensor)| (name, tensor))).collect();
        Tensor::write_safetensors(&tensors, &path).unwrap();
    };
    let first = conv("features.0", 4, 3);
    network(&[&first, &norm("features.1", &all), &conv("features.3", 4, 4), &conv("features.6", 4, 4)]);
    assert_eq!(load(&path).unwrap().convs.last().unwrap().layer, Layer { block: 2, conv: 1 });
    for (parts, words) in [
        (vec![&first[..1]], "features.0.bias is missing"),
        (vec![&first[1..]], "features.0.weight is missing"),
        (vec![&first[..], &conv("features.4", 4, 4)], "features.4.weight cannot follow features.0.weight"),
        (vec![&first[..], &conv("features.1", 4, 4)], "features.1.weight cannot follow"),
        (vec![&conv("features.2", 4, 3)[..]], "features.2.weight is not the network's first layer"),
        (
            vec![&first[..], &conv("features.2", 4, 5)],
            "features.2.weight has shape [4, 5, 3, 3] instead of [out, 4, 3, 3]",
        ),
        (vec![&first[..], &norm("features.1", &all[..3])], "features.1.running_var is missing"),
        (vec![&first[..], &norm("features.2", &all)], "features.2.weight cannot follow"),
        (vec![&first[..], &norm("features.0", &["weight_mask"])], "features.0.weight_mask belongs to no layer"),
        (vec![&first[..], &norm("features.extra", &["weight"])], "features.extra.weight belongs to no layer"),
        (vec![&first[..], &conv("ema.features.0", 4, 3)], "several networks"),
        (vec![&conv("conv1_2", 4, 3)[..]], "conv1_2.weight is not the network's first layer"),
        (vec![&conv("conv1_1", 4, 3)[..], &conv("conv2_2", 4, 4)], "conv2_2.weight cannot follow"),
        (vec![&conv("layer1.0.conv1", 4, 3)[..]], "no tensor named features.N.weight or convB_C.weight"),
    ] {
        network(&parts);
        let reason = refused(&path);
        assert!(reason.contains(words), "{words}: {reason}");
    }
}

#[test]
fn weights_are_found_in_their_usual_places() {
    let home = scratch("home");
    fs::remove_dir_all(&home).unwrap();
    let find = |variables: &[(&str, &Path)]| {
        let variables: HashMap<_, OsString> = variables.iter().map(|&(name, value)| (name, value.into())).collect();
        weights::find_in(|name| variables.get(name).cloned())
    };
    let make = |path: &str| {
        let path = home.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        path
    };
    let in_home = ("HOME", home.as_path());
    assert_eq!(find(&[in_home]), None);
    assert_eq!(find(&[]), None);

    // In order of increasing priority.
    let download = "hub/checkpoints/vgg19-dcbb9e9d.pth";
    let cached = make(&format!(".cache/torch/{download}"));
    assert_eq!(find(&[in_home]), Some(cached));
    let cached = make(&format!("xdg-cache/torch/{download}"));
    let xdg_cache = home.join("xdg-cache");
    assert_eq!(find(&[in_home, ("XDG_CACHE_HOME", &xdg_cache)]), Some(cached));
    let cached = make(&format!("torch/{download}"));
    let torch = home.join("torch");
    assert_eq!(find(&[in_home, ("XDG_CACHE_HOME", &xdg_cache), ("TORCH_HOME", &torch)]), Some(cached));
    for name in ["vgg16.ot", "vgg16.pth", "vgg16.safetensors", "vgg19.ot", "vgg19.pth", "vgg19.safetensors"] {
        let own = make(&format!(".local/share/stylefilter/{name}"));
        assert_eq!(find(&[in_home, ("TORCH_HOME", &torch)]), Some(own));
    }
    let own = make("xdg-data/stylefilter/vgg16.ot");
    let xdg_data = home.join("xdg-data");
    assert_eq!(find(&[in_home, ("XDG_DATA_HOME", &xdg_data)]), Some(own));
    // A file named by the variable is returned even if it does not exist; an empty variable counts as not set.
    let named = home.join("nowhere");
    assert_eq!(find(&[in_home, ("STYLEFILTER_WEIGHTS", &named)]), Some(named.clone()));
    assert_eq!(find(&[("STYLEFILTER_WEIGHTS", Path::new(""))]), None);
}
