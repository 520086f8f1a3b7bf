<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="es" sourcelanguage="en">
<context>
    <name>otfm</name>
    <message>
        <source>{name}: quality</source>
        <translation>{name}: calidad</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>Detalles</translation>
    </message>
    <message>
        <source>{role} {given} cannot be opened as a raster. Check that the file exists and that GDAL can read it.</source>
        <translation>{role} {given} no se puede abrir como ráster. Compruebe que el archivo existe y que GDAL puede leerlo.</translation>
    </message>
    <message>
        <source>{role} {name} comes from the provider &apos;{provider}&apos;, but only raster files that GDAL reads can be sharpened. Export the layer to a GeoTIFF first (right click, Export, Save As).</source>
        <translation>{role} {name} viene del proveedor «{provider}», pero solo se puede aumentar la resolución de archivos ráster que GDAL lee. Exporte antes la capa a un GeoTIFF (clic derecho, Exportar, Guardar como).</translation>
    </message>
    <message>
        <source>{role} {name} ({source}) can be opened by this QGIS alone, not by the engine, which is a process of its own. Export the layer to a GeoTIFF first (right click, Export, Save As).</source>
        <translation>{role} {name} ({source}) solo puede abrirlo este QGIS, no el motor, que es un proceso aparte. Exporte antes la capa a un GeoTIFF (clic derecho, Exportar, Guardar como).</translation>
    </message>
    <message>
        <source>The example is a GeoTIFF: give {file} the ending .tif.</source>
        <translation>El ejemplo es un GeoTIFF: dé a {file} la extensión .tif.</translation>
    </message>
    <message>
        <source>{file} cannot be written ({error}). Choose another place.</source>
        <translation>{file} no se puede escribir ({error}). Elija otro lugar.</translation>
    </message>
    <message>
        <source>PAN has {pans} rasters and MS has {mss}; give one MS for each PAN, in the same order.</source>
        <translation>PAN tiene {pans} rásteres y MS tiene {mss}; dé un MS para cada PAN, en el mismo orden.</translation>
    </message>
    <message>
        <source>OTFM Pansharpen</source>
        <translation>OTFM Pansharpen</translation>
    </message>
    <message>
        <source>Makes a multispectral raster (MS) as sharp as the panchromatic one (PAN) of the same scene, without changing its colours.

A neural flow carries the interpolated MS to the sharp one in a single step. One set of weights serves every sensor, band count and bit depth. The scene&apos;s own statistics, the shift between the two rasters and the sharpness of MS relative to PAN are measured first and logged.

The output has PAN&apos;s grid where MS exists, and the data type, nodata value, band names and rendering of MS. Runs on CUDA where there is a GPU and on any CPU, in a process of its own. Set up the engine (otfm:setup) installs what it needs.</source>
        <translation>Hace un ráster multiespectral (MS) tan nítido como el pancromático (PAN) de la misma escena, sin cambiar sus colores.

Un flujo neuronal lleva el MS interpolado al nítido en un solo paso. Un mismo conjunto de pesos sirve para cualquier sensor, número de bandas y profundidad de bits: primero se miden la estadística de la escena, el desplazamiento entre los dos rásteres y la nitidez de MS respecto a PAN, y se escriben en el registro.

La salida tiene la rejilla de PAN donde hay MS, y el tipo de datos, el valor sin datos, los nombres de banda y la representación de MS. Funciona con CUDA donde hay una GPU y en cualquier CPU, en un proceso aparte. Preparar el motor (otfm:setup) instala lo que necesita.</translation>
    </message>
    <message>
        <source>OTFM Preview of the map</source>
        <translation>OTFM Vista previa del mapa</translation>
    </message>
    <message>
        <source>Sharpen what the map shows, in seconds, as the whole scene would be.</source>
        <translation>Aumenta la resolución de lo que muestra el mapa, en segundos, como se haría toda la escena.</translation>
    </message>
    <message>
        <source>Sharpens what the map shows, so that you can check the result before the whole scene is made. Zoom, run, look, move the map, and run again.

Shift, sharpness and statistics are those of the whole scene, so the preview shows what OTFM Pansharpen will make of it. They are measured the first time and kept: from then on, it takes seconds. A map that shows more than a screen of PAN pixels is sharpened in its middle.</source>
        <translation>Aumenta la resolución de lo que muestra el mapa, para que pueda juzgar antes de hacer toda la escena. Acerque, ejecute, mire, mueva el mapa y ejecute de nuevo.

El desplazamiento, la nitidez y la estadística son los de toda la escena, así que la vista previa muestra lo que OTFM Pansharpen hará con ella. Se miden la primera vez y se conservan: desde entonces tarda segundos. Si el mapa muestra más de una pantalla de píxeles de PAN, se aumenta la resolución de su centro.</translation>
    </message>
    <message>
        <source>OTFM Fine-tune weights</source>
        <translation>OTFM Ajustar los pesos</translation>
    </message>
    <message>
        <source>Makes the weights of OTFM Pansharpen better on your own scene, in minutes, on this machine.

The scene is shrunk by its own ratio, with its own blur and noise, so that MS itself becomes the sharp truth to learn from. Blocks of the scene are held out and never trained on. They decide which weights are kept, and the figures in the log and in the outputs are theirs. Where nothing better is found, the start weights are written unchanged.

Choose the result as the quality in OTFM Pansharpen, for this scene and others of the same sensor. Several pairs of one sensor teach more than one. Cancelling keeps the best weights so far. Set up the engine (otfm:setup) installs what it needs.</source>
        <translation>Mejora los pesos de OTFM Pansharpen con su propia escena, en minutos, en este equipo.

La escena se reduce según su propia relación, con su propio desenfoque y ruido, de modo que el propio MS es la verdad nítida de la que se aprende. Se reservan bloques de la escena: nunca se entrena con ellos, deciden qué pesos se conservan, y las cifras del registro y de las salidas son las suyas. Si no se encuentra nada mejor, se escriben los pesos de partida sin cambios.

Elija el resultado como calidad en OTFM Pansharpen, para esta escena y otras del mismo sensor. Varios pares de un sensor enseñan más que uno. Al cancelar se conservan los mejores pesos hasta el momento. Preparar el motor (otfm:setup) instala lo que necesita.</translation>
    </message>
    <message>
        <source>Set up the engine</source>
        <translation>Preparar el motor</translation>
    </message>
    <message>
        <source>OTFM Sharpen a satellite product</source>
        <translation>OTFM Aumentar la resolución de un producto de satélite</translation>
    </message>
    <message>
        <source>OTFM Assess a sharpened raster</source>
        <translation>OTFM Evaluar un ráster de resolución aumentada</translation>
    </message>
    <message>
        <source>Say how good sharpened rasters of any tool are, in plain sentences, with figures, maps and a report.</source>
        <translation>Dice qué calidad tienen los rásteres de resolución aumentada con cualquier herramienta: en frases claras, con cifras, mapas y un informe.</translation>
    </message>
    <message>
        <source>Add example data</source>
        <translation>Añadir datos de ejemplo</translation>
    </message>
    <message>
        <source>Load a small pair of rasters, made up, to try OTFM Pansharpen on.</source>
        <translation>Carga un pequeño par de rásteres, inventado, para probar OTFM Pansharpen.</translation>
    </message>
    <message>
        <source>Loads a small pair to try the plugin on. The panchromatic raster has pixels of 15 m. Blue, green, red and near infrared have pixels of 30 m.

The scene is made up, by a script of this project. It shows no real place: it lies in the sea, where the equator meets the meridian of Greenwich. Its files are in the public domain (CC0).</source>
        <translation>Carga un pequeño par para probar el complemento: un ráster pancromático con píxeles de 15 m, y azul, verde, rojo e infrarrojo cercano con píxeles de 30 m.

La escena es inventada, por un script de este proyecto. No muestra ningún lugar real: está en el mar, donde el ecuador cruza el meridiano de Greenwich. Sus archivos son de dominio público (CC0).</translation>
    </message>
    <message>
        <source>Panchromatic raster</source>
        <translation>Ráster pancromático</translation>
    </message>
    <message>
        <source>Multispectral raster</source>
        <translation>Ráster multiespectral</translation>
    </message>
    <message>
        <source>Quality</source>
        <translation>Calidad</translation>
    </message>
    <message>
        <source>Minutes of tuning</source>
        <translation>Minutos de ajuste</translation>
    </message>
    <message>
        <source>Extent</source>
        <translation>Extensión</translation>
    </message>
    <message>
        <source>Multispectral bands</source>
        <translation>Bandas multiespectrales</translation>
    </message>
    <message>
        <source>More bands of the multispectral raster, one raster per band</source>
        <translation>Más bandas del ráster multiespectral, un ráster por banda</translation>
    </message>
    <message>
        <source>Polygons of ground that is not measured, such as clouds</source>
        <translation>Polígonos de terreno que no se mide, como nubes</translation>
    </message>
    <message>
        <source>MTF gain at Nyquist</source>
        <translation>Ganancia MTF en Nyquist</translation>
    </message>
    <message>
        <source>Tuned weights to keep</source>
        <translation>Pesos ajustados que se conservan</translation>
    </message>
    <message>
        <source>Seed of the tuning</source>
        <translation>Semilla del ajuste</translation>
    </message>
    <message>
        <source>Data type of the output</source>
        <translation>Tipo de datos de la salida</translation>
    </message>
    <message>
        <source>Build overviews</source>
        <translation>Crear vistas generales</translation>
    </message>
    <message>
        <source>Creation options of the output</source>
        <translation>Opciones de creación de la salida</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Dispositivo</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>Precisión</translation>
    </message>
    <message>
        <source>Steps of the flow</source>
        <translation>Pasos del flujo</translation>
    </message>
    <message>
        <source>Memory (MB)</source>
        <translation>Memoria (MB)</translation>
    </message>
    <message>
        <source>Tile size (PAN pixels)</source>
        <translation>Tamaño de tesela (píxeles de PAN)</translation>
    </message>
    <message>
        <source>Sharpened raster</source>
        <translation>Ráster de resolución aumentada</translation>
    </message>
    <message>
        <source>Preview</source>
        <translation>Vista previa</translation>
    </message>
    <message>
        <source>Bands to sharpen</source>
        <translation>Bandas de la salida</translation>
    </message>
    <message>
        <source>Load the sharpened rasters</source>
        <translation>Cargar los resultados</translation>
    </message>
    <message>
        <source>Keep virtual rasters</source>
        <translation>Conservar los rásteres virtuales</translation>
    </message>
    <message>
        <source>Folder for the sharpened rasters</source>
        <translation>Carpeta de los resultados</translation>
    </message>
    <message>
        <source>Sharpened rasters, by any tool</source>
        <translation>Rásteres de resolución aumentada, con cualquier herramienta</translation>
    </message>
    <message>
        <source>Report</source>
        <translation>Informe</translation>
    </message>
    <message>
        <source>Folder for block maps</source>
        <translation>Carpeta para los mapas de bloques</translation>
    </message>
    <message>
        <source>Panchromatic rasters</source>
        <translation>Rásteres pancromáticos</translation>
    </message>
    <message>
        <source>Multispectral rasters, in the same order</source>
        <translation>Rásteres multiespectrales, en el mismo orden</translation>
    </message>
    <message>
        <source>Weights to start from</source>
        <translation>Pesos de partida</translation>
    </message>
    <message>
        <source>Steps, instead of minutes</source>
        <translation>Pasos, en lugar de minutos</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>Semilla</translation>
    </message>
    <message>
        <source>Keep the best weights on cancel</source>
        <translation>Conservar los mejores pesos al cancelar</translation>
    </message>
    <message>
        <source>Fine-tuned weights</source>
        <translation>Pesos ajustados</translation>
    </message>
    <message>
        <source>What to do</source>
        <translation>Qué hacer</translation>
    </message>
    <message>
        <source>Build of torch</source>
        <translation>Versión de torch que se instala</translation>
    </message>
    <message>
        <source>Folder of wheels, without network</source>
        <translation>Carpeta de wheels, sin red</translation>
    </message>
    <message>
        <source>Address of a package index</source>
        <translation>Dirección de un índice de paquetes</translation>
    </message>
    <message>
        <source>Example, panchromatic</source>
        <translation>Ejemplo, pancromático</translation>
    </message>
    <message>
        <source>Example, multispectral</source>
        <translation>Ejemplo, multiespectral</translation>
    </message>
    <message>
        <source>The sharp raster: one panchromatic band with the smaller pixels.</source>
        <translation>El ráster nítido: una banda pancromática con los píxeles más pequeños.</translation>
    </message>
    <message>
        <source>Which bands to sharpen, in the order of the output. Leave empty for all but alpha.</source>
        <translation>De qué bandas se aumenta la resolución, en el orden de la salida. Vacío: todas menos alfa.</translation>
    </message>
    <message>
        <source>Only this part is sharpened; leave empty for all that both rasters cover. Statistics are still those of the whole scene, so parts of one scene fit together.</source>
        <translation>Solo se aumenta la resolución de esta parte; vacío: todo lo que ambos rásteres cubren. La estadística sigue siendo la de toda la escena, de modo que las partes de una escena encajan.</translation>
    </message>
    <message>
        <source>Polygons in any reference system, for example of clouds and their shadows. What they touch is sharpened, but shift, sharpness, statistics, quality and tuning do without it. Leave empty to measure everywhere.</source>
        <translation>Polígonos en cualquier sistema de referencia, por ejemplo de nubes y sus sombras. También se aumenta la resolución de lo que tocan, pero no cuenta para el desplazamiento, la nitidez, la estadística, la calidad ni el ajuste. Vacío: medir en todas partes.</translation>
    </message>
    <message>
        <source>Which blocks are held out in tuning, and all other chance.</source>
        <translation>Qué bloques se reservan en el ajuste, y todo lo demás que depende del azar.</translation>
    </message>
    <message>
        <source>auto takes CUDA where torch finds a GPU, with all GPUs of one kind, else the CPU.</source>
        <translation>auto usa CUDA donde torch encuentra una GPU, con todas las GPU de un tipo; si no, la CPU.</translation>
    </message>
    <message>
        <source>auto takes bfloat16 where the hardware multiplies it (GPU, CPU with AMX or AVX512-BF16), else float32. fp32 gives the same raster whatever the tile size.</source>
        <translation>auto usa bfloat16 donde el hardware lo multiplica (GPU, CPU con AMX o AVX512-BF16); si no, float32. fp32 da el mismo ráster con cualquier tamaño de tesela.</translation>
    </message>
    <message>
        <source>How many steps the flow takes. 1 is what the weights are trained for; more costs more time.</source>
        <translation>Cuántos pasos da el flujo. Los pesos están entrenados para 1; más cuestan más tiempo.</translation>
    </message>
    <message>
        <source>Leave empty to measure on the scene how much contrast MS keeps at each frequency. A number stands for a Gaussian that keeps this contrast at the MS Nyquist frequency: 0.05 is much softer than its pixels, 0.5 is crisp.</source>
        <translation>Déjelo vacío para medir en la escena cuánto contraste conserva MS en cada frecuencia. Un número representa una gaussiana que conserva ese contraste en la frecuencia de Nyquist de MS: 0,05 es mucho más suave que sus píxeles, 0,5 es nítido.</translation>
    </message>
    <message>
        <source>How much memory the tiles in work may take, whatever the size of the raster. torch and GDAL themselves need some 600 MB more. Leave empty for a quarter of the machine&apos;s memory, at most 2048 MB.</source>
        <translation>Cuánta memoria pueden ocupar las teselas en curso, sea cual sea el tamaño del ráster. torch y GDAL necesitan además unos 600 MB. Vacío: un cuarto de la memoria del equipo, como máximo 2048 MB.</translation>
    </message>
    <message>
        <source>The type of the output&apos;s pixels. A few values that it cannot hold are clipped, and the log says so. A run that would clip more than a quarter of a band is refused.</source>
        <translation>El tipo de los píxeles de la salida. Los pocos valores que no caben se recortan, y el registro lo dice. Una ejecución que recortaría más de la cuarta parte de una banda se rechaza.</translation>
    </message>
    <message>
        <source>Whether smaller copies of the output are stored with it, so that it draws fast when zoomed out.</source>
        <translation>Si se guardan con la salida copias reducidas, para que se dibuje rápido a escalas pequeñas.</translation>
    </message>
    <message>
        <source>GDAL creation options of the output format, for example COMPRESS=DEFLATE. A GeoTIFF is tiled and not compressed unless asked for; the predictor then suits the data type.</source>
        <translation>Opciones de creación de GDAL del formato de salida, por ejemplo COMPRESS=DEFLATE. Un GeoTIFF se guarda en teselas y sin comprimir si no se pide otra cosa; el predictor se adapta entonces al tipo de datos.</translation>
    </message>
    <message>
        <source>The sharpened raster. The extension decides the format; .cog.tif makes a cloud-optimised GeoTIFF.</source>
        <translation>El ráster de resolución aumentada. La extensión del nombre decide el formato; .cog.tif crea un GeoTIFF optimizado para la nube.</translation>
    </message>
    <message>
        <source>Fast takes seconds. Best makes errors about 4 % smaller and takes two to five times as long. A .safetensors file of this plugin, for example fine-tuned on the sensor, is used in their place.</source>
        <translation>«Rápida» tarda segundos. «La mejor» reduce los errores cerca de un 4 % y tarda de dos a cinco veces más. Un archivo .safetensors de este complemento, por ejemplo ajustado al sensor, se usa en su lugar.</translation>
    </message>
    <message>
        <source>The part that is sharpened. Leave empty for what the map shows.</source>
        <translation>La parte cuya resolución se aumenta. Vacío: lo que muestra el mapa.</translation>
    </message>
    <message>
        <source>The preview, a temporary layer unless a file is chosen.</source>
        <translation>La vista previa, una capa temporal si no se elige un archivo.</translation>
    </message>
    <message>
        <source>all takes every band that PAN can sharpen, in the product&apos;s order, so no thermal or cirrus bands. colour and NIR takes red, green, blue and near infrared; natural colour takes red, green and blue.</source>
        <translation>all toma todas las bandas cuya resolución PAN puede aumentar, en el orden del producto, así que ni térmicas ni de cirros. colour and NIR toma rojo, verde, azul e infrarrojo cercano; natural colour toma rojo, verde y azul.</translation>
    </message>
    <message>
        <source>Only this part of each product is sharpened. Leave empty for all of it.</source>
        <translation>Solo se aumenta la resolución de esta parte de cada producto. Vacío: todo.</translation>
    </message>
    <message>
        <source>Whether virtual rasters (.vrt) of the fused bands stay next to the results.</source>
        <translation>Si los rásteres virtuales (.vrt) de las bandas, tal como se fusionaron, quedan junto a los resultados.</translation>
    </message>
    <message>
        <source>Whether the sharpened rasters are loaded, in natural colours.</source>
        <translation>Si los rásteres de resolución aumentada se cargan, en colores naturales.</translation>
    </message>
    <message>
        <source>Where the sharpened rasters go: NAME_sharp.tif for each product.</source>
        <translation>Adónde van los rásteres de resolución aumentada: NAME_sharp.tif para cada producto.</translation>
    </message>
    <message>
        <source>The panchromatic raster that was used.</source>
        <translation>El ráster pancromático que se usó.</translation>
    </message>
    <message>
        <source>The multispectral raster that was used.</source>
        <translation>El ráster multiespectral que se usó.</translation>
    </message>
    <message>
        <source>One or more results of these two rasters, which are compared.</source>
        <translation>Uno o más resultados de estos dos rásteres, que se comparan entre sí.</translation>
    </message>
    <message>
        <source>Which bands of MS the results show. Leave empty for all but alpha.</source>
        <translation>Qué bandas de MS muestran los resultados. Vacío: todas menos alfa.</translation>
    </message>
    <message>
        <source>One HTML file that needs nothing else: verdict, figures, maps, the worst and the middle block, spectra, histograms, and how it was measured.</source>
        <translation>Un archivo HTML que no necesita nada más: veredicto, cifras, mapas, el peor bloque y el mediano, espectros, histogramas, y cómo se midió.</translation>
    </message>
    <message>
        <source>A folder for a raster of each result, with one pixel for 32 x 32 of PAN: quality, colours, detail. They are loaded in colours from bad to good. Leave empty for none.</source>
        <translation>Una carpeta para un ráster de cada resultado, con un píxel por cada 32 x 32 de PAN: calidad, colores, detalle. Se cargan en colores de malo a bueno. Vacío: ninguno.</translation>
    </message>
    <message>
        <source>The panchromatic raster of each scene; of one raster with several bands, the first is used. Usually one; several scenes of the same sensor are matched in order with MS.</source>
        <translation>El ráster pancromático de cada escena; de un ráster con varias bandas se usa la primera. Normalmente uno; varias escenas del mismo sensor se emparejan en orden con MS.</translation>
    </message>
    <message>
        <source>Only this part of the scenes is learnt from, for example one without clouds; leave empty for all of it. It has to hold at least 96 x 96 MS pixels.</source>
        <translation>Solo se aprende de esta parte de las escenas, por ejemplo una sin nubes; vacío: de todo. Debe contener al menos 96 x 96 píxeles de MS.</translation>
    </message>
    <message>
        <source>Polygons in any reference system, for example of clouds and their shadows, that nothing is learnt from. Leave empty to learn from all.</source>
        <translation>Polígonos en cualquier sistema de referencia, por ejemplo de nubes y sus sombras, de los que no se aprende. Vacío: aprender de todo.</translation>
    </message>
    <message>
        <source>The weights to start from: fast or best for a bundled set, or a .safetensors file of this plugin, for example a fine-tuned one.</source>
        <translation>Los pesos de partida: fast o best para un conjunto incluido, o un archivo .safetensors de este complemento, por ejemplo uno ajustado antes.</translation>
    </message>
    <message>
        <source>How long to train. 3 is enough for one scene on most machines; a GPU needs less.</source>
        <translation>Cuánto tiempo se entrena. 3 bastan para una escena en la mayoría de los equipos; una GPU necesita menos.</translation>
    </message>
    <message>
        <source>auto takes CUDA where torch finds a GPU, else the CPU.</source>
        <translation>auto usa CUDA donde torch encuentra una GPU; si no, la CPU.</translation>
    </message>
    <message>
        <source>Which blocks are held out, and all other chance. Another seed gives another, similar result.</source>
        <translation>Qué bloques se reservan, y todo lo demás que depende del azar. Otra semilla da otro resultado parecido.</translation>
    </message>
    <message>
        <source>Whether cancelling writes the best weights found until then, if any are better than the start. Otherwise cancelling leaves no file.</source>
        <translation>Si al cancelar se escriben los mejores pesos encontrados hasta entonces, cuando son mejores que los de partida. Si no, al cancelar no queda ningún archivo.</translation>
    </message>
    <message>
        <source>The fine-tuned weights, a .safetensors file. Dialogs offer it as a quality where it lies in the folder of the profile that is proposed. A file with their SHA-256 is written next to it.</source>
        <translation>Los pesos ajustados, un archivo .safetensors. Los cuadros de diálogo lo ofrecen como calidad si está en la carpeta propuesta. Junto a él se escribe un archivo con su SHA-256.</translation>
    </message>
    <message>
        <source>One HTML file with the learning curve, pictures before and after, the figures of the held-out blocks and the settings.</source>
        <translation>Un archivo HTML con la curva de aprendizaje, imágenes de antes y después, las cifras de los bloques reservados y los ajustes.</translation>
    </message>
    <message>
        <source>Install does nothing where torch works already. Check writes a report. Repair installs again, even where torch works. Remove deletes the folder that was installed.</source>
        <translation>«Instalar» no hace nada donde torch ya funciona. «Comprobar» escribe un informe. «Reparar» instala de nuevo, también donde torch funciona. «Eliminar» borra la carpeta que se instaló.</translation>
    </message>
    <message>
        <source>For machines without network: a folder with the wheels of torch, safetensors and what they need for this Python, fetched elsewhere with pip download. They are not checked by hash.</source>
        <translation>Para equipos sin red: una carpeta con los wheels de torch, safetensors y lo que necesitan para este Python, descargados en otro lugar con pip download. No se comprueban con sumas.</translation>
    </message>
    <message>
        <source>Where the panchromatic raster is written, a GeoTIFF.</source>
        <translation>Dónde se escribe el ráster pancromático, un GeoTIFF.</translation>
    </message>
    <message>
        <source>Where the multispectral raster is written, a GeoTIFF.</source>
        <translation>Dónde se escribe el ráster multiespectral, un GeoTIFF.</translation>
    </message>
    <message>
        <source>Device used</source>
        <translation>Dispositivo usado</translation>
    </message>
    <message>
        <source>Ratio of the pixel sizes</source>
        <translation>Relación de los tamaños de píxel</translation>
    </message>
    <message>
        <source>Measured shift across, in PAN pixels</source>
        <translation>Desplazamiento medido en horizontal, en píxeles de PAN</translation>
    </message>
    <message>
        <source>Measured shift down, in PAN pixels</source>
        <translation>Desplazamiento medido hacia abajo, en píxeles de PAN</translation>
    </message>
    <message>
        <source>MTF gain used</source>
        <translation>Ganancia MTF usada</translation>
    </message>
    <message>
        <source>Quality without reference (HQNR) of pieces</source>
        <translation>Calidad sin referencia (HQNR) de trozos</translation>
    </message>
    <message>
        <source>ERGAS of the same pieces, made coarser by the ratio</source>
        <translation>ERGAS de los mismos trozos, reducidos según la relación</translation>
    </message>
    <message>
        <source>SHA-256 of the weights</source>
        <translation>SHA-256 de los pesos</translation>
    </message>
    <message>
        <source>Seconds</source>
        <translation>Segundos</translation>
    </message>
    <message>
        <source>Sharpened rasters</source>
        <translation>Rásteres de resolución aumentada</translation>
    </message>
    <message>
        <source>Products sharpened</source>
        <translation>Productos de resolución aumentada</translation>
    </message>
    <message>
        <source>Products that were complete already</source>
        <translation>Productos que ya estaban completos</translation>
    </message>
    <message>
        <source>Products that failed or are not complete</source>
        <translation>Productos que fallaron o no están completos</translation>
    </message>
    <message>
        <source>Block maps</source>
        <translation>Mapas de bloques</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>Veredicto</translation>
    </message>
    <message>
        <source>Faults of the first raster, by one word each</source>
        <translation>Fallos del primer ráster, con una palabra cada uno</translation>
    </message>
    <message>
        <source>D_lambda of the first raster</source>
        <translation>D_lambda del primer ráster</translation>
    </message>
    <message>
        <source>D_s of the first raster</source>
        <translation>D_s del primer ráster</translation>
    </message>
    <message>
        <source>HQNR of the first raster</source>
        <translation>HQNR del primer ráster</translation>
    </message>
    <message>
        <source>ERGAS of the held-out blocks before</source>
        <translation>ERGAS de los bloques reservados, antes</translation>
    </message>
    <message>
        <source>ERGAS of the held-out blocks after</source>
        <translation>ERGAS de los bloques reservados, después</translation>
    </message>
    <message>
        <source>Quality without reference (HQNR) of the held-out blocks before</source>
        <translation>Calidad sin referencia (HQNR) de los bloques reservados, antes</translation>
    </message>
    <message>
        <source>Quality without reference (HQNR) of the held-out blocks after</source>
        <translation>Calidad sin referencia (HQNR) de los bloques reservados, después</translation>
    </message>
    <message>
        <source>Steps trained</source>
        <translation>Pasos entrenados</translation>
    </message>
    <message>
        <source>Version of torch</source>
        <translation>Versión de torch</translation>
    </message>
    <message>
        <source>Report on this machine</source>
        <translation>Informe sobre este equipo</translation>
    </message>
    <message>
        <source>Fast (seconds)</source>
        <translation>Rápida (segundos)</translation>
    </message>
    <message>
        <source>Best (errors about 4 % smaller, two to five times as long)</source>
        <translation>La mejor (errores cerca de un 4 % menores, de dos a cinco veces más tiempo)</translation>
    </message>
    <message>
        <source>Tuned on this scene (errors another 4 % smaller, some minutes)</source>
        <translation>Ajustada a esta escena (errores otro 4 % menores, algunos minutos)</translation>
    </message>
    <message>
        <source>Fast</source>
        <translation>Rápida</translation>
    </message>
    <message>
        <source>Best</source>
        <translation>La mejor</translation>
    </message>
    <message>
        <source>A weights file…</source>
        <translation>Un archivo de pesos…</translation>
    </message>
    <message>
        <source>Weights (*.safetensors)</source>
        <translation>Pesos (*.safetensors)</translation>
    </message>
    <message>
        <source>HTML files (*.html)</source>
        <translation>Archivos HTML (*.html)</translation>
    </message>
    <message>
        <source>{ms} made as sharp as {pan} by OTFM Pansharpen {version} ({quality}). Ratio {ratio:.4g}; shift corrected {rows:+.2f} rows, {columns:+.2f} columns of PAN; MTF gain {gain:.3f}.</source>
        <translation>{ms}, tan nítido como {pan}, con OTFM Pansharpen {version} ({quality}). Relación {ratio:.4g}; desplazamiento corregido {rows:+.2f} filas, {columns:+.2f} columnas de PAN; ganancia MTF {gain:.3f}.</translation>
    </message>
    <message>
        <source>Quality without reference (HQNR) {hqnr:.3f}.</source>
        <translation>Calidad sin referencia (HQNR) {hqnr:.3f}.</translation>
    </message>
    <message>
        <source>{date}: otfm:pansharpen, version {version}; PAN {pan}, MS {ms}, weights with SHA-256 {sha256}.</source>
        <translation>{date}: otfm:pansharpen, versión {version}; PAN {pan}, MS {ms}, pesos con SHA-256 {sha256}.</translation>
    </message>
    <message>
        <source>Sharpened products</source>
        <translation>Productos de resolución aumentada</translation>
    </message>
    <message>
        <source>{name} is {given}, but bands are given by their numbers from 1, for example 3,2,1.</source>
        <translation>{name} es {given}, pero las bandas se dan por sus números desde 1, por ejemplo 3,2,1.</translation>
    </message>
    <message>
        <source>{name} is {given}, which is not a number. Give a number, or leave it empty where it is optional.</source>
        <translation>{name} es {given}, que no es un número. Dé un número, o déjelo vacío donde sea opcional.</translation>
    </message>
    <message>
        <source>{name} is {given}, which is neither true nor false. Give true or false.</source>
        <translation>{name} es {given}, que no es ni verdadero ni falso. Dé true o false.</translation>
    </message>
    <message>
        <source>{name} is {quality}, which is neither {choices} nor a weights file that exists. Give one of these words, or the path of a .safetensors file.</source>
        <translation>{name} es {quality}, que no es ni {choices} ni un archivo de pesos que exista. Dé una de estas palabras, o la ruta de un archivo .safetensors.</translation>
    </message>
    <message>
        <source>MASK {given} cannot be opened as a layer of polygons. Choose one, or leave it empty.</source>
        <translation>MASK {given} no se puede abrir como capa de polígonos. Elija una, o déjelo vacío.</translation>
    </message>
    <message>
        <source>No polygon of MASK {mask} overlaps PAN {pan}: nothing is left out.</source>
        <translation>Ningún polígono de MASK {mask} está sobre PAN {pan}: no se excluye nada.</translation>
    </message>
    <message>
        <source>{name} {fault}. Choose another name.</source>
        <translation>{name} {fault}. Elija otro nombre.</translation>
    </message>
    <message>
        <source>The extent {extent} cannot be brought to the reference system of {name} ({system}). Choose an extent that overlaps the rasters, or leave it empty for all that both cover.</source>
        <translation>La extensión {extent} no se puede llevar al sistema de referencia de {name} ({system}). Elija una extensión que esté sobre los rásteres, o déjela vacía para todo lo que ambos cubren.</translation>
    </message>
    <message>
        <source>PAN {pan} and MS {ms} do not overlap: they show different areas. Choose one scene.</source>
        <translation>PAN {pan} y MS {ms} no se solapan: están en lugares distintos. Elija una sola escena.</translation>
    </message>
    <message>
        <source>{role} {name} holds complex numbers; real numbers are needed.</source>
        <translation>{role} {name} contiene números complejos; se necesitan números reales.</translation>
    </message>
    <message>
        <source>The extent {extent} does not meet the area that PAN and MS share: x {left:.10g} to {right:.10g}, y {bottom:.10g} to {top:.10g}. Choose another extent, or leave it empty for all that both cover.</source>
        <translation>La extensión {extent} no toca la zona que PAN y MS comparten: x de {left:.10g} a {right:.10g}, y de {bottom:.10g} a {top:.10g}. Elija otra extensión, o déjela vacía para todo lo que ambos cubren.</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>Todos los archivos (*)</translation>
    </message>
    <message>
        <source>There is no map here. Give EXTENT, the part that is to be sharpened.</source>
        <translation>Aquí no hay mapa. Dé EXTENT, la parte cuya resolución se va a aumentar.</translation>
    </message>
    <message>
        <source>The map shows {wide:.0f} x {high:.0f} pixels of PAN; the middle {columns:.0f} x {rows:.0f} are sharpened. Zoom in to see another part.</source>
        <translation>El mapa muestra {wide:.0f} x {high:.0f} píxeles de PAN; se aumenta la resolución de los {columns:.0f} x {rows:.0f} del centro. Acerque para ver otra parte.</translation>
    </message>
    <message>
        <source>What the map shows cannot be brought to the reference system of {name} ({system}). Zoom to the layer, then run again.</source>
        <translation>Lo que muestra el mapa no se puede llevar al sistema de referencia de {name} ({system}). Acerque a la capa y ejecute de nuevo.</translation>
    </message>
    <message>
        <source>The map shows nothing of PAN {pan}. Zoom to what you want to see sharpened, then run again.</source>
        <translation>El mapa no muestra nada de PAN {pan}. Acerque a lo que quiera ver con más resolución y ejecute de nuevo.</translation>
    </message>
    <message>
        <source>The folder {folder} cannot be made ({error}). Choose another one.</source>
        <translation>La carpeta {folder} no se puede crear ({error}). Elija otra.</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automática</translation>
    </message>
    <message>
        <source>These are the defaults of dialogs, scripts and qgis_process. What is chosen there has precedence.</source>
        <translation>De estos valores parten los cuadros de diálogo, los scripts y qgis_process. Lo que se elija allí tiene prioridad.</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Memoria</translation>
    </message>
    <message>
        <source>Folder of tuned weights</source>
        <translation>Carpeta de pesos ajustados</translation>
    </message>
    <message>
        <source>Says how good a sharpened raster is, whoever made it, and what is wrong with it in plain sentences.

At full resolution, where no truth is known: D_lambda, D_s and HQNR, next to interpolation and four classical methods. At reduced resolution, where MS itself is the truth: ERGAS, SAM, Q2n and SCC of those methods. This plugin is among them where the raster came from it. The report names a shift, too much or too little detail, changed colours and seams.

Rasters on other pixels, in another reference system, with other bands or stretched to 8 bits are compared as far as possible. The report says how. Large rasters are measured on nine pieces. It runs before the engine is set up, too; results of this plugin are then not made again at reduced resolution.</source>
        <translation>Dice en frases claras qué calidad tiene un ráster de resolución aumentada, lo haya hecho quien lo haya hecho, y qué tiene mal.

A plena resolución, donde nadie conoce la verdad: D_lambda, D_s y HQNR, junto a la interpolación y cuatro métodos clásicos. Una escala más abajo, donde el propio MS es la verdad: ERGAS, SAM, Q2n y SCC de esos métodos, y de este complemento si el ráster salió de él. Busca desplazamientos, exceso o falta de detalle, colores cambiados y costuras.

Los rásteres con otros píxeles, en otro sistema de referencia, con otras bandas o estirados a 8 bits se comparan hasta donde se puede, y el informe dice cómo. Los rásteres grandes se miden en nueve trozos. Funciona también antes de preparar el motor; entonces los resultados de este complemento no se calculan de nuevo una escala más abajo.</translation>
    </message>
    <message>
        <source>The layer on the left or at the top</source>
        <translation>La capa de la izquierda o de arriba</translation>
    </message>
    <message>
        <source>Compare the result with the layer that it was made of.</source>
        <translation>Comparar el resultado con la capa de la que se obtuvo.</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>Comparar</translation>
    </message>
    <message>
        <source>There are no two rasters to compare. Add the result and the raster that it was made of to the project, choose the result in the Layers panel, and try again.</source>
        <translation>No hay dos rásteres que comparar. Añada al proyecto el resultado y el ráster del que se obtuvo, elija el resultado en el panel de capas e inténtelo de nuevo.</translation>
    </message>
    <message>
        <source>The project has no PAN and MS of one scene in one reference system. Add both rasters, zoom to them, then sharpen the map again.</source>
        <translation>El proyecto no tiene PAN y MS de una escena en un mismo sistema de referencia. Añada ambos rásteres, haga zoom a ellos y aumente de nuevo la resolución del mapa.</translation>
    </message>
    <message>
        <source>Sharpen the map</source>
        <translation>Aumentar la resolución del mapa</translation>
    </message>
    <message>
        <source>Sharpen what the map shows, after each pan and zoom.</source>
        <translation>Aumenta la resolución de lo que muestra el mapa, tras cada desplazamiento y zoom.</translation>
    </message>
    <message>
        <source>Compare before and after</source>
        <translation>Comparar antes y después</translation>
    </message>
    <message>
        <source>Drag a line over the map between the active layer and the MS that it was made of.</source>
        <translation>Arrastre una línea por el mapa entre la capa activa y el MS del que se obtuvo.</translation>
    </message>
    <message>
        <source>Drag the line.</source>
        <translation>Arrastre la línea.</translation>
    </message>
    <message>
        <source>Flicker (F)</source>
        <translation>Parpadear (F)</translation>
    </message>
    <message>
        <source>Turn (X)</source>
        <translation>Girar (X)</translation>
    </message>
    <message>
        <source>End (Esc)</source>
        <translation>Terminar (Esc)</translation>
    </message>
    <message>
        <source>Weights for the sensor</source>
        <translation>Pesos para el sensor</translation>
    </message>
    <message>
        <source>Name of the sensor</source>
        <translation>Nombre del sensor</translation>
    </message>
    <message>
        <source>Which bundled weights fast, best and tuned use. auto takes those of a sensor where metadata or file names tell it, else the general ones. The log says which and why. A weights file chosen as quality stays.</source>
        <translation>Qué pesos incluidos usan fast, best y tuned. auto toma los de un sensor si los metadatos o los nombres de archivo lo indican; si no, los generales. El registro dice cuáles y por qué. Un archivo de pesos elegido como calidad se mantiene.</translation>
    </message>
    <message>
        <source>A name for the sensor of the scenes, which lists show next to the weights. Leave empty for the name in the metadata of the scenes.</source>
        <translation>Un nombre para el sensor de las escenas, que las listas muestran junto a los pesos. Dejar vacío para el nombre en los metadatos de las escenas.</translation>
    </message>
    <message>
        <source>Choose a folder…</source>
        <translation>Elegir una carpeta…</translation>
    </message>
    <message>
        <source>Choose a file…</source>
        <translation>Elegir un archivo…</translation>
    </message>
    <message>
        <source>{bands} of {scene}</source>
        <translation>{bands} de {scene}</translation>
    </message>
    <message>
        <source>Load the result as a layer</source>
        <translation>Cargar el resultado como capa</translation>
    </message>
    <message>
        <source>Installs what OTFM Pansharpen computes with: torch, safetensors and what they need. Run it once.

Everything goes into a folder of its own in your QGIS profile. The Python of QGIS and that of your system stay unchanged. The log first lists what is fetched, how large it is, and where it goes. Every file is checked against a hash that ships with the plugin. Cancel leaves what was there before.

Check changes nothing. It writes a report on this machine, with a small scene whose answer is known. Put it into a request for help.</source>
        <translation>Instala aquello con lo que OTFM Pansharpen calcula: torch, safetensors y lo que necesitan. Ejecútelo una vez.

Todo va a una carpeta propia de su perfil de QGIS. El Python de QGIS y el de su sistema quedan como están. El registro dice primero qué se descarga, cuánto ocupa y adónde va. Cada archivo se comprueba con una suma que acompaña al complemento. Al cancelar queda lo que había antes.

«Comprobar» no cambia nada. Escribe un informe sobre este equipo, con una pequeña escena cuyo resultado se conoce. Adjúntelo cuando pida ayuda.</translation>
    </message>
    <message>
        <source>The colour raster, or one raster per band, as Landsat has: pixels 1.5 to 16 times larger, over the same area. Several rasters share one grid, and come in the order of the output. Another reference system is reprojected while it is read.</source>
        <translation>El ráster de color, o un ráster por banda como en Landsat: píxeles de 1,5 a 16 veces mayores, sobre la misma zona. Varios rásteres comparten una rejilla y van en el orden de la salida. Otro sistema de referencia se reproyecta al leer.</translation>
    </message>
    <message>
        <source>The other bands of MS, for scripts of earlier versions, where MS is the first band.</source>
        <translation>Las demás bandas de MS, para guiones de versiones anteriores, en los que MS es la primera banda.</translation>
    </message>
    <message>
        <source>Fast takes seconds. Best makes errors about 4 % smaller and takes two to five times as long. Tuned tunes best on the scene itself for some minutes first. Held-out blocks decide whether the tuned weights are used, and the log has their figures. Errors are about 4 % smaller still. It needs at least 96 x 96 MS pixels. A .safetensors file of this plugin, for example fine-tuned on the sensor, is used unchanged.</source>
        <translation>«Rápida» tarda segundos. «La mejor» reduce los errores cerca de un 4 % y tarda de dos a cinco veces más. «Ajustada» ajusta antes los mejores pesos a la propia escena durante unos minutos. Se reservan bloques: deciden si se usan los pesos ajustados, y el registro dice qué se ganó en ellos; los errores bajan otro 4 % aproximadamente. Necesita al menos 96 x 96 píxeles de MS. Un archivo .safetensors de este complemento, por ejemplo ajustado al sensor, se usa tal cual.</translation>
    </message>
    <message>
        <source>How long to tune on the scene, where the quality is tuned. 1 to 3 are enough on most machines.</source>
        <translation>Cuánto tiempo se ajusta a la escena, cuando la calidad es tuned. De 1 a 3 bastan en la mayoría de los equipos.</translation>
    </message>
    <message>
        <source>Where the tuned weights are kept, a .safetensors file to choose as quality for other scenes of the sensor. Used only where the quality is tuned; leave empty to keep none.</source>
        <translation>Dónde se guardan los pesos ajustados: un archivo .safetensors que se elige como calidad para otras escenas del sensor. Solo se usa cuando la calidad es tuned; vacío: no guardar ninguno.</translation>
    </message>
    <message>
        <source>The raster is sharpened in squares of this size. Leave empty for the largest that the memory allows.</source>
        <translation>La resolución se aumenta en cuadrados de este tamaño. Vacío: el mayor que la memoria permita.</translation>
    </message>
    <message>
        <source>The multispectral raster of each scene, in the order of PAN, with the bands that will be sharpened. With one PAN it may be one raster per band. Alpha bands are left out.</source>
        <translation>El ráster multiespectral de cada escena, en el orden de PAN, con las bandas cuya resolución se va a aumentar. Con un solo PAN puede ser un ráster por banda. Las bandas alfa se excluyen.</translation>
    </message>
    <message>
        <source>How many steps to train, instead of minutes: the same steps and seed give the same weights on the same machine. Leave empty to go by the clock.</source>
        <translation>Cuántos pasos se entrena, en lugar de minutos: los mismos pasos y la misma semilla dan los mismos pesos en el mismo equipo. Vacío: según el reloj.</translation>
    </message>
    <message>
        <source>Several rasters, one per band…</source>
        <translation>Varios rásteres, uno por banda…</translation>
    </message>
    <message>
        <source>Make the colour bands of a satellite image as sharp as its panchromatic band.</source>
        <translation>Hace las bandas de color de una imagen de satélite tan nítidas como su banda pancromática.</translation>
    </message>
    <message>
        <source>Let the sharpening learn from your own scene, in minutes, for smaller errors on its sensor.</source>
        <translation>Hace que el aumento de resolución aprenda de su propia escena, en minutos, con menos errores en su sensor.</translation>
    </message>
    <message>
        <source>Install what OTFM Pansharpen computes with, once; check, repair or remove it.</source>
        <translation>Instala, una sola vez, aquello con lo que OTFM Pansharpen calcula; lo comprueba, repara o elimina.</translation>
    </message>
    <message>
        <source>Compress the output</source>
        <translation>Comprimir la salida</translation>
    </message>
    <message>
        <source>Form of the output</source>
        <translation>Forma de la salida</translation>
    </message>
    <message>
        <source>For analysis: the values and the bands of MS. For printing: 8 bits in the colours of the layer of MS, natural ones where QGIS drew blue as red. Cloud-optimised: for analysis, with overviews inside, to be read over a network; the name then ends with .cog.tif.</source>
        <translation>Para análisis: los valores y las bandas de MS. Para imprimir: 8 bits en los colores de la capa de MS, naturales donde QGIS dibujó el azul como rojo. Optimizado para la nube: para análisis, con vistas generales dentro, para leerlo por la red; el nombre termina entonces en .cog.tif.</translation>
    </message>
    <message>
        <source>Whether a GeoTIFF is compressed (DEFLATE), which loses nothing.</source>
        <translation>Si un GeoTIFF se comprime (DEFLATE), sin perder nada.</translation>
    </message>
    <message>
        <source>For analysis (values as MS)</source>
        <translation>Para análisis (valores como MS)</translation>
    </message>
    <message>
        <source>For printing (8 bits, drawn as MS)</source>
        <translation>Para imprimir (8 bits, colores como MS)</translation>
    </message>
    <message>
        <source>Cloud-optimised GeoTIFF</source>
        <translation>GeoTIFF optimizado para la nube</translation>
    </message>
    <message>
        <source>Sharpened: {ms} ({quality})</source>
        <translation>Más resolución: {ms} ({quality})</translation>
    </message>
    <message>
        <source>Preview: {ms} ({quality})</source>
        <translation>Vista previa: {ms} ({quality})</translation>
    </message>
    <message>
        <source>Not sharpened: {ms}</source>
        <translation>Sin aumentar la resolución: {ms}</translation>
    </message>
    <message>
        <source>{width} x {height} x {bands}: {size} of {free} free, {memory:.1f} GB of memory</source>
        <translation>{width} x {height} x {bands}: {size} de {free} libres, {memory:.1f} GB de memoria</translation>
    </message>
    <message>
        <source>, about {time}</source>
        <translation>, unos {time}</translation>
    </message>
    <message>
        <source>{name} cannot be printed as it is drawn. Draw it as Multiband color with three of its bands in the layer&apos;s properties (Symbology), or choose another form of the output.</source>
        <translation>{name} no se puede imprimir tal como está dibujado. Dibújelo en las propiedades de la capa (Simbología) como color multibanda con tres de sus bandas, o elija otra forma de la salida.</translation>
    </message>
    <message>
        <source>The engine is not set up yet.</source>
        <translation>El motor todavía no está preparado.</translation>
    </message>
    <message>
        <source>Set up the engine…</source>
        <translation>Preparar el motor…</translation>
    </message>
    <message>
        <source>Does not fit: {forecast}</source>
        <translation>No cabe: {forecast}</translation>
    </message>
    <message>
        <source>Sharpen all pairs of this project…</source>
        <translation>Aumentar la resolución de todos los pares de este proyecto…</translation>
    </message>
    <message>
        <source>Temporary layers</source>
        <translation>Capas temporales</translation>
    </message>
    <message>
        <source>Folder of results</source>
        <translation>Carpeta de los resultados</translation>
    </message>
    <message>
        <source>Names of results</source>
        <translation>Nombres de los resultados</translation>
    </message>
    <message>
        <source>Engine</source>
        <translation>Motor</translation>
    </message>
    <message>
        <source>not set up</source>
        <translation>sin preparar</translation>
    </message>
    <message>
        <source>Check</source>
        <translation>Comprobar</translation>
    </message>
    <message>
        <source>Repair</source>
        <translation>Reparar</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Eliminar</translation>
    </message>
    <message>
        <source>{state}. Packages: {size}. Memory of the machine: {memory}.</source>
        <translation>{state}. Paquetes: {size}. Memoria del equipo: {memory}.</translation>
    </message>
    <message>
        <source>torch {version}, not checked yet</source>
        <translation>torch {version}, sin comprobar todavía</translation>
    </message>
    <message>
        <source>The project has no PAN and MS of one scene in one reference system. Add both rasters first.</source>
        <translation>El proyecto no tiene PAN y MS de una escena en un mismo sistema de referencia. Añada antes los dos rásteres.</translation>
    </message>
    <message>
        <source>Panchromatic band, or several bands as guides</source>
        <translation>Banda pancromática, o varias bandas como guías</translation>
    </message>
    <message>
        <source>Which bands of the sharper raster to use. Leave empty for all but alpha. Of several, each band of MS gets the combination that it follows best, as with the 10 m bands of Sentinel-2.</source>
        <translation>Qué bandas del ráster más nítido se usan. Déjelo vacío para todas menos alfa. De varias, cada banda de MS recibe la combinación que mejor sigue, como con las bandas de 10 m de Sentinel-2.</translation>
    </message>
    <message>
        <source>Sharpen Landsat, Sentinel-2, WorldView, Pleiades and other products as they are delivered.</source>
        <translation>Aumenta la resolución de Landsat, Sentinel-2, WorldView, Pleiades y otros productos tal como se entregan.</translation>
    </message>
    <message>
        <source>Sharpens satellite products as they are delivered: no bands to stack, no tiles to put together.

Knows {families}, and any folder whose files&apos; names say PAN and MS, or PAN and B1, B2 and so on. Landsat of level 2 is sharpened with the panchromatic band of level 1. Products without one, such as Sentinel-2, are sharpened by their sharpest bands, which stay unchanged. Archives (.tar, .tar.gz, .zip) are read without unpacking, and STAC items over the network.

Several products in one folder run one after another, and the log ends with a table. A product that fails does not stop the others. A second run leaves out what is complete. What is not complete is refused, with what is missing.</source>
        <translation>Aumenta la resolución de productos de satélite tal como se entregan: sin apilar bandas ni juntar teselas.

Conoce {families}, y cualquier carpeta cuyos nombres de archivo digan PAN y MS, o PAN y B1, B2, etc. En Landsat de nivel 2 se usa la banda pancromática del nivel 1. En productos sin ella, como Sentinel-2, se usan sus bandas más nítidas, que no cambian. Los archivos comprimidos (.tar, .tar.gz, .zip) se leen sin descomprimirlos, y los ítems STAC por la red.

Varios productos de una carpeta se procesan uno tras otro, y el registro termina con una tabla. Un producto que falla no detiene los demás. Una segunda ejecución omite lo que está completo. Lo que no está completo se rechaza, con lo que falta.</translation>
    </message>
    <message>
        <source>The folder of one or more products (paste its path), an archive (.tar, .tar.gz, .zip), or a metadata file (MTL, IMD, DIM_*.XML) or image of a single product. A STAC item, as a file or an https address, may be read over the network; the log names the host.</source>
        <translation>La carpeta de uno o más productos (pegue su ruta), un archivo comprimido (.tar, .tar.gz, .zip), o un archivo de metadatos (MTL, IMD, DIM_*.XML) o imagen de un producto, que es entonces el único. Un ítem STAC, como archivo o dirección https, puede leerse por la red; el registro nombra el servidor.</translation>
    </message>
    <message>
        <source>Folder, archive, metadata file or STAC item</source>
        <translation>Carpeta, archivo, metadatos, ítem STAC</translation>
    </message>
    <message>
        <source>Move the bands to their places on PAN</source>
        <translation>Llevar las bandas a su lugar sobre PAN</translation>
    </message>
    <message>
        <source>auto measures on the pixels how far each band of MS is from PAN, and how that varies across the scene, and corrects both. scene corrects one shift for all. With off, the georeference is trusted, even where PAN and MS do not seem to show the same scene.</source>
        <translation>auto mide en los píxeles cuánto se aparta de PAN cada banda de MS y cómo varía eso en la escena, y corrige ambas cosas. scene corrige un desplazamiento para todas. Con off se confía en la georreferencia, aunque PAN y MS no parezcan mostrar la misma escena.</translation>
    </message>
    <message>
        <source>Further shift of each band, across and down, in PAN pixels</source>
        <translation>Desplazamiento adicional de cada banda, en horizontal y hacia abajo, en píxeles de PAN</translation>
    </message>
    <message>
        <source>Variation of the shift across the scene, in PAN pixels</source>
        <translation>Variación del desplazamiento en la escena, en píxeles de PAN</translation>
    </message>
    <message>
        <source>Mean shift of the bands that is left, in PAN pixels</source>
        <translation>Desplazamiento medio de las bandas que queda, en píxeles de PAN</translation>
    </message>
    <message>
        <source>auto takes the CUDA build where an NVIDIA driver is found on Linux, else the CPU build, which is far smaller and on Linux comes from torch&apos;s own index. On Windows a CUDA build has to be given as a folder of wheels.</source>
        <translation>auto toma la versión CUDA si en Linux se encuentra un controlador NVIDIA; si no, la versión CPU, mucho más pequeña, que en Linux viene del índice propio de torch. En Windows una versión CUDA se indica como carpeta de wheels.</translation>
    </message>
    <message>
        <source>A package index instead of the one that pip uses, for example a mirror of your organisation.</source>
        <translation>Un índice de paquetes en lugar del que usa pip, por ejemplo un espejo de su organización.</translation>
    </message>
    <message>
        <source>Height of the ground (m), for rasters placed by RPC alone</source>
        <translation>Altura del terreno (m), para rásteres que solo sitúan los RPC</translation>
    </message>
    <message>
        <source>Only for PAN and MS without a georeference that have rational polynomial coefficients (RPC): the mean height of the ground above the ellipsoid, at which these place MS on PAN. Leave empty for that of PAN&apos;s RPC.</source>
        <translation>Solo para PAN y MS sin georreferencia que tienen coeficientes polinómicos racionales (RPC): la altura media del terreno sobre el elipsoide, a la que estos sitúan MS sobre PAN. Vacío: la de los RPC de PAN.</translation>
    </message>
    <message>
        <source>{count} features of MASK {mask} are not polygons that can be repaired and brought to PAN&apos;s reference system, so they are not left out. Check its system (Layer, Set CRS), and look at them with native:checkvalidity.</source>
        <translation>{count} objetos de MASK {mask} no son polígonos que se puedan reparar y transformar al sistema de referencia de PAN, por lo que no se dejan fuera. Compruebe el sistema de la capa (Capa, Establecer SRC) y revíselos con native:checkvalidity.</translation>
    </message>
    <message>
        <source>The extent {extent} cannot be read. Give xmin,xmax,ymin,ymax and, where it is another one, a known reference system, such as [EPSG:4326]; or leave it empty.</source>
        <translation>La extensión {extent} no se puede leer. Dé xmin,xmax,ymin,ymax y, si es otro, un sistema de referencia conocido, como [EPSG:4326]; o déjela vacía.</translation>
    </message>
    <message>
        <source>Assessment of {name}</source>
        <translation>Evaluación de {name}</translation>
    </message>
    <message>
        <source>Sharpened: {ms}</source>
        <translation>Más resolución: {ms}</translation>
    </message>
    <message>
        <source>All</source>
        <translation>Todas</translation>
    </message>
    <message>
        <source>Colour and near infrared</source>
        <translation>Color e infrarrojo cercano</translation>
    </message>
    <message>
        <source>Natural colour</source>
        <translation>Color natural</translation>
    </message>
    <message>
        <source>Install</source>
        <translation>Instalar</translation>
    </message>
    <message>
        <source>Check (writes a report)</source>
        <translation>Comprobar (escribe un informe)</translation>
    </message>
    <message>
        <source>Repair (installs again)</source>
        <translation>Reparar (instala de nuevo)</translation>
    </message>
    <message>
        <source>The one for this machine</source>
        <translation>La de este equipo</translation>
    </message>
    <message>
        <source>For the processor (CPU)</source>
        <translation>Para el procesador (CPU)</translation>
    </message>
    <message>
        <source>For NVIDIA GPUs (CUDA)</source>
        <translation>Para GPU de NVIDIA (CUDA)</translation>
    </message>
</context>
</TS>
