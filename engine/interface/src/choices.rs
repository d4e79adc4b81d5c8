//! The parameters that are choices. Each value is one row of one table, [`for_each_choice`], which makes the numbers of
//! the C interface, the names of values, and the element's enumerations.

/// Calls the macro `$with` for each choice, with the names of a module, an enumeration and a GType, the default, what is
/// chosen, and the rows: constant, number, the enumeration's variant, the property's nick, description.
#[macro_export]
macro_rules! for_each_choice {
    ($with:ident) => {
        $with! {
            recipe, Recipe, "GstStyleTransferRecipe", VIDEO, Video,
            "The program whose losses, layers and steps are used.";
            VIDEO = 0, Video, "video", "This project's own, for few steps per frame";
            PYTORCH_TUTORIAL = 1, PytorchTutorial, "pytorch-tutorial", "PyTorch's tutorial \"Neural Transfer\"";
            D2L = 2, D2l, "d2l", "\"Dive into Deep Learning\", section \"Neural Style Transfer\"";
            KERAS = 3, Keras, "keras", "Keras' example";
            TORCH_EARLY_STOP = 4, TorchEarlyStop, "torch-early-stop",
                "PyTorch's tutorial with early stopping, deeper layers, no normalization";
            DEEPDREAM = 5, Deepdream, "deepdream",
                "DeepDream: what the network sees in a frame is exaggerated, without a style";
        }
        $with! {
            optimizer, Optimizer, "GstStyleTransferOptimizer", AUTO, Auto,
            "The optimizer that minimizes the losses.";
            AUTO = 0, Auto, "auto", "The recipe's";
            ADAM = 1, Adam, "adam", "Adam";
            LBFGS = 2, Lbfgs, "lbfgs", "L-BFGS";
        }
        $with! {
            style_loss, StyleLoss, "GstStyleTransferStyleLoss", AUTO, Auto,
            "The statistics by which the features of picture and style are compared.";
            AUTO = 0, Auto, "auto", "The recipe's";
            GRAM = 1, Gram, "gram", "Gram matrices of features";
            MEAN_COVARIANCE = 2, MeanCovariance, "mean-covariance", "Means and covariances of features";
            SLICED_WASSERSTEIN = 3, SlicedWasserstein, "sliced-wasserstein", "Whole distributions of features: slow";
        }
        $with! {
            pooling, Pooling, "GstStyleTransferPooling", AUTO, Auto,
            "The pooling of the network.";
            AUTO = 0, Auto, "auto", "The recipe's";
            MAX = 1, Max, "max", "Max pooling, as VGG was trained";
            AVERAGE = 2, Average, "average", "Average pooling";
        }
        $with! {
            precision, Precision, "GstStyleTransferPrecision", AUTO, Auto,
            "The number format of features. Losses and statistics are always computed in 32 bits.";
            AUTO = 0, Auto, "auto", "bf16 with recipe=video if the device is fast in it, else f32";
            F32 = 1, F32, "f32", "32-bit floats";
            BF16 = 2, Bf16, "bf16", "16-bit floats with the range of 32";
        }
        $with! {
            original_colors, OriginalColors, "GstStyleTransferOriginalColors", NONE, None,
            "Which of the frame's own colors are kept.";
            NONE = 0, None, "none", "None: the style's colors";
            LUMA = 1, Luma, "luma", "Hue and saturation: only brightness is painted";
            MATCH = 2, Match, "match", "The palette: the style's colors are first matched to the frame's";
        }
        $with! {
            model_input, ModelInput, "GstStyleTransferModelInput", AUTO, Auto,
            "The order of the channels and the range of the pictures that a model takes and gives.";
            AUTO = 0, Auto, "auto", "What networks of the model's kind are trained with; rgb-1 for TorchScript";
            RGB_1 = 1, Rgb1, "rgb-1", "RGB in 0..1";
            RGB_255 = 2, Rgb255, "rgb-255", "RGB in 0..255";
            RGB_SIGNED = 3, RgbSigned, "rgb-signed", "RGB in -1..1";
            BGR_1 = 4, Bgr1, "bgr-1", "BGR in 0..1";
            BGR_255 = 5, Bgr255, "bgr-255", "BGR in 0..255";
            BGR_SIGNED = 6, BgrSigned, "bgr-signed", "BGR in -1..1";
        }
        $with! {
            warm_start, WarmStart, "GstStyleTransferWarmStart", FLOW, Flow,
            "The picture that a frame's optimization starts from.";
            NONE = 0, None, "none", "Each frame starts from its own content";
            PREVIOUS = 1, Previous, "previous",
                "Each frame starts from its own content with the last result's paint added";
            FLOW = 2, Flow, "flow", "Each frame starts from the last result, moved along the optical flow";
        }
    };
}

macro_rules! numbers {
    ($module:ident, $enumeration:ident, $type:literal, $default:ident, $default_variant:ident, $about:literal;
     $($constant:ident = $number:literal, $variant:ident, $nick:literal, $description:literal;)*) => {
        #[doc = $about]
        pub mod $module {
            $(
                #[doc = concat!($description, ".")]
                pub const $constant: u32 = $number;
            )*

            /// The default.
            pub const DEFAULT: u32 = $default;

            /// The number of the value with this name.
            pub fn named(name: &str) -> Option<u32> {
                match name {
                    $($nick => Some($constant),)*
                    _ => None,
                }
            }
        }
    };
}

for_each_choice!(numbers);
