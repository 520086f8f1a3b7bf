"""Texts of algorithms, parameters and choices in toolbox and dialogs. All are translated where they are shown.

A key ALGORITHM.NAME goes before NAME alone.
"""

from __future__ import annotations

# Title, summary and text of each algorithm.
PANSHARPEN = (
    "OTFM Pansharpen",
    "Make the colour bands of a satellite image as sharp as its panchromatic band.",
    """Makes a multispectral raster (MS) as sharp as the panchromatic one (PAN) of the same scene, without \
changing its colours.

A neural flow carries the interpolated MS to the sharp one in a single step. One set of weights serves every sensor, \
band count and bit depth. The scene's own statistics, the shift between the two rasters and the sharpness of MS \
relative to PAN are measured first and logged.

The output has PAN's grid where MS exists, and the data type, nodata value, band names and rendering of MS. \
Runs on CUDA where there is a GPU and on any CPU, in a process of its own. Set up the engine (otfm:setup) installs \
what it needs.""",
)
PREVIEW = (
    "OTFM Preview of the map",
    "Sharpen what the map shows, in seconds, as the whole scene would be.",
    """Sharpens what the map shows, so that you can check the result before the whole scene is made. Zoom, run, \
look, move the map, and run again.

Shift, sharpness and statistics are those of the whole scene, so the preview shows what OTFM Pansharpen will make of \
it. They are measured the first time and kept: from then on, it takes seconds. A map that shows more than a screen of \
PAN pixels is sharpened in its middle.""",
)
FINETUNE = (
    "OTFM Fine-tune weights",
    "Let the sharpening learn from your own scene, in minutes, for smaller errors on its sensor.",
    """Makes the weights of OTFM Pansharpen better on your own scene, in minutes, on this machine.

The scene is shrunk by its own ratio, with its own blur and noise, so that MS itself becomes the sharp truth to learn \
from. Blocks of the scene are held out and never trained on. They decide which weights are kept, and the figures \
in the log and in the outputs are theirs. Where nothing better is found, the start weights are written unchanged.

Choose the result as the quality in OTFM Pansharpen, for this scene and others of the same sensor. Several \
pairs of one sensor teach more than one. Cancelling keeps the best weights so far. \
Set up the engine (otfm:setup) installs what it needs.""",
)
SETUP = (
    "Set up the engine",
    "Install what OTFM Pansharpen computes with, once; check, repair or remove it.",
    """Installs what OTFM Pansharpen computes with: torch, safetensors and what they need. Run it once.

Everything goes into a folder of its own in your QGIS profile. The Python of QGIS and that of your system stay \
unchanged. The log first lists what is fetched, how large it is, and where it goes. Every file is checked against a \
hash that ships with the plugin. Cancel leaves what was there before.

Check changes nothing. It writes a report on this machine, with a small scene whose answer is known. Put it \
into a request for help.""",
)
PRODUCT = (
    "OTFM Sharpen a satellite product",
    "Sharpen Landsat, Sentinel-2, WorldView, Pleiades and other products as they are delivered.",
    """Sharpens satellite products as they are delivered: no bands to stack, no tiles to put together.

Knows {families}, and any folder whose files' names say PAN and MS, or PAN and B1, B2 and so on. Landsat of level 2 \
is sharpened with the panchromatic band of level 1. Products without one, such as Sentinel-2, are sharpened by their \
sharpest bands, which stay unchanged. Archives (.tar, .tar.gz, .zip) are read without unpacking, and STAC items over \
the network.

Several products in one folder run one after another, and the log ends with a table. A product that fails does not \
stop the others. A second run leaves out what is complete. What is not complete is refused, with what is missing.""",
)
ASSESS = (
    "OTFM Assess a sharpened raster",
    "Say how good sharpened rasters of any tool are, in plain sentences, with figures, maps and a report.",
    """Says how good a sharpened raster is, whoever made it, and what is wrong with it in plain sentences.

At full resolution, where no truth is known: D_lambda, D_s and HQNR, next to interpolation and four classical \
methods. At reduced resolution, where MS itself is the truth: ERGAS, SAM, Q2n and SCC of those methods. This plugin \
is among them where the raster came from it. The report names a shift, too much or too little detail, changed colours \
and seams.

Rasters on other pixels, in another reference system, with other bands or stretched to 8 bits are compared as far as \
possible. The report says how. Large rasters are measured on nine pieces. It runs before the engine is set up, \
too; results of this plugin are then not made again at reduced resolution.""",
)
EXAMPLEDATA = (
    "Add example data",
    "Load a small pair of rasters, made up, to try OTFM Pansharpen on.",
    """Loads a small pair to try the plugin on. The panchromatic raster has pixels of 15 m. Blue, green, red \
and near infrared have pixels of 30 m.

The scene is made up, by a script of this project. It shows no real place: it lies in the sea, where the equator meets \
the meridian of Greenwich. Its files are in the public domain (CC0).""",
)

LABELS = {
    "PAN": "Panchromatic raster",
    "MS": "Multispectral raster",
    "QUALITY": "Quality",
    "MINUTES": "Minutes of tuning",
    "EXTENT": "Extent",
    "PAN_BAND": "Panchromatic band, or several bands as guides",
    "MS_BANDS": "Multispectral bands",
    "MS_MORE": "More bands of the multispectral raster, one raster per band",
    "WEIGHTS_FOR": "Weights for the sensor",
    "SENSOR": "Name of the sensor",
    "ALIGN": "Move the bands to their places on PAN",
    "MASK": "Polygons of ground that is not measured, such as clouds",
    "MTF_GAIN": "MTF gain at Nyquist",
    "HEIGHT": "Height of the ground (m), for rasters placed by RPC alone",
    "WEIGHTS_OUT": "Tuned weights to keep",
    "SEED": "Seed of the tuning",
    "DATA_TYPE": "Data type of the output",
    "OVERVIEWS": "Build overviews",
    "COMPRESS": "Compress the output",
    "FORM": "Form of the output",
    "CREATE_OPTIONS": "Creation options of the output",
    "DEVICE": "Device",
    "PRECISION": "Precision",
    "STEPS": "Steps of the flow",
    "MEMORY": "Memory (MB)",
    "TILE": "Tile size (PAN pixels)",
    "pansharpen.OUTPUT": "Sharpened raster",
    "preview.OUTPUT": "Preview",
    "INPUT": "Folder, archive, metadata file or STAC item",
    "BANDS": "Bands to sharpen",
    "LOAD": "Load the sharpened rasters",
    "KEEP_VRT": "Keep virtual rasters",
    "product.OUTPUT": "Folder for the sharpened rasters",
    "FUSED": "Sharpened rasters, by any tool",
    "REPORT": "Report",
    "MAPS": "Folder for block maps",
    "finetune.PAN": "Panchromatic rasters",
    "finetune.MS": "Multispectral rasters, in the same order",
    "START": "Weights to start from",
    "finetune.STEPS": "Steps, instead of minutes",
    "finetune.SEED": "Seed",
    "KEEP_ON_CANCEL": "Keep the best weights on cancel",
    "finetune.OUTPUT": "Fine-tuned weights",
    "ACTION": "What to do",
    "BUILD": "Build of torch",
    "WHEELS": "Folder of wheels, without network",
    "INDEX": "Address of a package index",
    "exampledata.PAN": "Example, panchromatic",
    "exampledata.MS": "Example, multispectral",
}

HELP = {
    "PAN": "The sharp raster: one panchromatic band with the smaller pixels.",
    "MS": "The colour raster, or one raster per band, as Landsat has: pixels 1.5 to 16 times larger, over the same "
    "area. Several rasters share one grid, and come in the order of the output. Another reference system is "
    "reprojected while it is read.",
    "MS_MORE": "The other bands of MS, for scripts of earlier versions, where MS is the first band.",
    "PAN_BAND": "Which bands of the sharper raster to use. Leave empty for all but alpha. Of several, each band of MS "
    "gets the combination that it follows best, as with the 10 m bands of Sentinel-2.",
    "MS_BANDS": "Which bands to sharpen, in the order of the output. Leave empty for all but alpha.",
    "pansharpen.EXTENT": "Only this part is sharpened; leave empty for all that both rasters cover. Statistics are "
    "still those of the whole scene, so parts of one scene fit together.",
    "pansharpen.QUALITY": "Fast takes seconds. Best makes errors about 4 % smaller and takes two to five times as "
    "long. Tuned tunes best on the scene itself for some minutes first. Held-out blocks decide whether the tuned "
    "weights are used, and the log has their figures. Errors are about 4 % smaller still. It needs at least 96 x "
    "96 MS pixels. A .safetensors file of this plugin, for example fine-tuned on the sensor, is used unchanged.",
    "MINUTES": "How long to tune on the scene, where the quality is tuned. 1 to 3 are enough on most machines.",
    "MASK": "Polygons in any reference system, for example of clouds and their shadows. What they touch is sharpened, "
    "but shift, sharpness, statistics, quality and tuning do without it. Leave empty to measure everywhere.",
    "WEIGHTS_OUT": "Where the tuned weights are kept, a .safetensors file to choose as quality for other scenes of the "
    "sensor. Used only where the quality is tuned; leave empty to keep none.",
    "SEED": "Which blocks are held out in tuning, and all other chance.",
    "DEVICE": "auto takes CUDA where torch finds a GPU, with all GPUs of one kind, else the CPU.",
    "PRECISION": "auto takes bfloat16 where the hardware multiplies it (GPU, CPU with AMX or AVX512-BF16), else "
    "float32. fp32 gives the same raster whatever the tile size.",
    "STEPS": "How many steps the flow takes. 1 is what the weights are trained for; more costs more time.",
    "WEIGHTS_FOR": "Which bundled weights fast, best and tuned use. auto takes those of a sensor where metadata or "
    "file names tell it, else the general ones. The log says which and why. A weights file chosen as quality stays.",
    "SENSOR": "A name for the sensor of the scenes, which lists show next to the weights. Leave empty for the name in "
    "the metadata of the scenes.",
    "ALIGN": "auto measures on the pixels how far each band of MS is from PAN, and how that varies across the scene, "
    "and corrects both. scene corrects one shift for all. With off, the georeference is trusted, even where PAN and MS "
    "do not seem to show the same scene.",
    "HEIGHT": "Only for PAN and MS without a georeference that have rational polynomial coefficients (RPC): the mean "
    "height of the ground above the ellipsoid, at which these place MS on PAN. Leave empty for that of PAN's RPC.",
    "MTF_GAIN": "Leave empty to measure on the scene how much contrast MS keeps at each frequency. A number stands for "
    "a Gaussian that keeps this contrast at the MS Nyquist frequency: 0.05 is much softer than its pixels, 0.5 is "
    "crisp.",
    "MEMORY": "How much memory the tiles in work may take, whatever the size of the raster. torch and GDAL themselves "
    "need some 600 MB more. Leave empty for a quarter of the machine's memory, at most 2048 MB.",
    "TILE": "The raster is sharpened in squares of this size. Leave empty for the largest that the memory allows.",
    "DATA_TYPE": "The type of the output's pixels. A few values that it cannot hold are clipped, and the log says so. "
    "A run that would clip more than a quarter of a band is refused.",
    "OVERVIEWS": "Whether smaller copies of the output are stored with it, so that it draws fast when zoomed out.",
    "FORM": "For analysis: the values and the bands of MS. For printing: 8 bits in the colours of the layer of MS, "
    "natural ones where QGIS drew blue as red. Cloud-optimised: for analysis, with overviews inside, to be read over a "
    "network; the name then ends with .cog.tif.",
    "COMPRESS": "Whether a GeoTIFF is compressed (DEFLATE), which loses nothing.",
    "CREATE_OPTIONS": "GDAL creation options of the output format, for example COMPRESS=DEFLATE. A GeoTIFF is tiled "
    "and not compressed unless asked for; the predictor then suits the data type.",
    "pansharpen.OUTPUT": "The sharpened raster. The extension decides the format; .cog.tif makes a cloud-optimised "
    "GeoTIFF.",
    "QUALITY": "Fast takes seconds. Best makes errors about 4 % smaller and takes two to five times as long. A "
    ".safetensors file of this plugin, for example fine-tuned on the sensor, is used in their place.",
    "preview.EXTENT": "The part that is sharpened. Leave empty for what the map shows.",
    "preview.OUTPUT": "The preview, a temporary layer unless a file is chosen.",
    "INPUT": "The folder of one or more products (paste its path), an archive (.tar, .tar.gz, .zip), or a metadata "
    "file (MTL, IMD, DIM_*.XML) or image of a single product. A STAC item, as a file or an https address, may be read "
    "over the network; the log names the host.",
    "BANDS": "all takes every band that PAN can sharpen, in the product's order, so no thermal or cirrus bands. colour "
    "and NIR takes red, green, blue and near infrared; natural colour takes red, green and blue.",
    "product.EXTENT": "Only this part of each product is sharpened. Leave empty for all of it.",
    "KEEP_VRT": "Whether virtual rasters (.vrt) of the fused bands stay next to the results.",
    "LOAD": "Whether the sharpened rasters are loaded, in natural colours.",
    "product.OUTPUT": "Where the sharpened rasters go: NAME_sharp.tif for each product.",
    "assess.PAN": "The panchromatic raster that was used.",
    "assess.MS": "The multispectral raster that was used.",
    "FUSED": "One or more results of these two rasters, which are compared.",
    "assess.MS_BANDS": "Which bands of MS the results show. Leave empty for all but alpha.",
    "assess.REPORT": "One HTML file that needs nothing else: verdict, figures, maps, the worst and the middle block, "
    "spectra, histograms, and how it was measured.",
    "MAPS": "A folder for a raster of each result, with one pixel for 32 x 32 of PAN: quality, colours, detail. They "
    "are loaded in colours from bad to good. Leave empty for none.",
    "finetune.PAN": "The panchromatic raster of each scene; of one raster with several bands, the first is used. "
    "Usually one; several scenes of the same sensor are matched in order with MS.",
    "finetune.MS": "The multispectral raster of each scene, in the order of PAN, with the bands that will be "
    "sharpened. With one PAN it may be one raster per band. Alpha bands are left out.",
    "finetune.EXTENT": "Only this part of the scenes is learnt from, for example one without clouds; leave empty for "
    "all of it. It has to hold at least 96 x 96 MS pixels.",
    "finetune.MASK": "Polygons in any reference system, for example of clouds and their shadows, that nothing is "
    "learnt from. Leave empty to learn from all.",
    "START": "The weights to start from: fast or best for a bundled set, or a .safetensors file of this plugin, for "
    "example a fine-tuned one.",
    "finetune.MINUTES": "How long to train. 3 is enough for one scene on most machines; a GPU needs less.",
    "finetune.STEPS": "How many steps to train, instead of minutes: the same steps and seed give the same weights on "
    "the same machine. Leave empty to go by the clock.",
    "finetune.DEVICE": "auto takes CUDA where torch finds a GPU, else the CPU.",
    "finetune.SEED": "Which blocks are held out, and all other chance. Another seed gives another, similar result.",
    "KEEP_ON_CANCEL": "Whether cancelling writes the best weights found until then, if any are better than the start. "
    "Otherwise cancelling leaves no file.",
    "finetune.OUTPUT": "The fine-tuned weights, a .safetensors file. Dialogs offer it as a quality where it lies in "
    "the folder of the profile that is proposed. A file with their SHA-256 is written next to it.",
    "finetune.REPORT": "One HTML file with the learning curve, pictures before and after, the figures of the held-out "
    "blocks and the settings.",
    "ACTION": "Install does nothing where torch works already. Check writes a report. Repair installs again, even "
    "where torch works. Remove deletes the folder that was installed.",
    "BUILD": "auto takes the CUDA build where an NVIDIA driver is found on Linux, else the CPU build, which is far "
    "smaller and on Linux comes from torch's own index. On Windows a CUDA build has to be given as a folder of wheels.",
    "WHEELS": "For machines without network: a folder with the wheels of torch, safetensors and what they need for "
    "this Python, fetched elsewhere with pip download. They are not checked by hash.",
    "INDEX": "A package index instead of the one that pip uses, for example a mirror of your organisation.",
    "exampledata.PAN": "Where the panchromatic raster is written, a GeoTIFF.",
    "exampledata.MS": "Where the multispectral raster is written, a GeoTIFF.",
}

OUTPUT_LABELS = {
    "DEVICE_USED": "Device used",
    "RATIO": "Ratio of the pixel sizes",
    "SHIFT_X": "Measured shift across, in PAN pixels",
    "SHIFT_Y": "Measured shift down, in PAN pixels",
    "SHIFT_BANDS": "Further shift of each band, across and down, in PAN pixels",
    "SHIFT_LOCAL": "Variation of the shift across the scene, in PAN pixels",
    "SHIFT_LEFT": "Mean shift of the bands that is left, in PAN pixels",
    "MTF_GAIN_USED": "MTF gain used",
    "HQNR": "Quality without reference (HQNR) of pieces",
    "ERGAS": "ERGAS of the same pieces, made coarser by the ratio",
    "WEIGHTS_SHA256": "SHA-256 of the weights",
    "SECONDS": "Seconds",
    "LAYERS": "Sharpened rasters",
    "SHARPENED": "Products sharpened",
    "COMPLETE": "Products that were complete already",
    "FAILED": "Products that failed or are not complete",
    "MAP_LAYERS": "Block maps",
    "VERDICT": "Verdict",
    "FAULTS": "Faults of the first raster, by one word each",
    "D_LAMBDA": "D_lambda of the first raster",
    "D_S": "D_s of the first raster",
    "assess.HQNR": "HQNR of the first raster",
    "ERGAS_BEFORE": "ERGAS of the held-out blocks before",
    "ERGAS_AFTER": "ERGAS of the held-out blocks after",
    "HQNR_BEFORE": "Quality without reference (HQNR) of the held-out blocks before",
    "HQNR_AFTER": "Quality without reference (HQNR) of the held-out blocks after",
    "STEPS": "Steps trained",
    "TORCH": "Version of torch",
    "REPORT": "Report on this machine",
}

COSTS = {
    "fast": "Fast (seconds)",
    "best": "Best (errors about 4 % smaller, two to five times as long)",
    "tuned": "Tuned on this scene (errors another 4 % smaller, some minutes)",
}
CHOICE_NAMES = {
    "FORM": {
        "analysis": "For analysis (values as MS)",
        "printing": "For printing (8 bits, drawn as MS)",
        "cloud": "Cloud-optimised GeoTIFF",
    },
    "BANDS": {"all": "All", "colour and NIR": "Colour and near infrared", "natural colour": "Natural colour"},
    "ACTION": {
        "install": "Install",
        "check": "Check (writes a report)",
        "repair": "Repair (installs again)",
        "remove": "Remove",
    },
    "BUILD": {"auto": "The one for this machine", "cpu": "For the processor (CPU)", "cuda": "For NVIDIA GPUs (CUDA)"},
}
NAMES = {"fast": "Fast", "best": "Best"}
CHOOSE = "A weights file…"
SEVERAL_LAYERS = "Several rasters, one per band…"
WEIGHTS_FILTER, HTML_FILTER = "Weights (*.safetensors)", "HTML files (*.html)"
SHARPENED_TITLE, PREVIEW_TITLE = "Sharpened: {ms} ({quality})", "Preview: {ms} ({quality})"
NOT_SHARPENED_TITLE, PRODUCT_TITLE = "Not sharpened: {ms}", "Sharpened: {ms}"
ABSTRACT = (
    "{ms} made as sharp as {pan} by OTFM Pansharpen {version} ({quality}). Ratio {ratio:.4g}; shift corrected "
    "{rows:+.2f} rows, {columns:+.2f} columns of PAN; MTF gain {gain:.3f}."
)
HQNR_SENTENCE = "Quality without reference (HQNR) {hqnr:.3f}."
HISTORY = "{date}: otfm:pansharpen, version {version}; PAN {pan}, MS {ms}, weights with SHA-256 {sha256}."
SHARPENED_PRODUCTS = "Sharpened products"
NO_BANDS = "{name} is {given}, but bands are given by their numbers from 1, for example 3,2,1."
