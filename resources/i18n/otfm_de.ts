<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>otfm</name>
    <message>
        <source>{name}: quality</source>
        <translation>{name}: Qualität</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>Einzelheiten</translation>
    </message>
    <message>
        <source>{role} {given} cannot be opened as a raster. Check that the file exists and that GDAL can read it.</source>
        <translation>{role} {given} lässt sich nicht als Raster öffnen. Prüfen Sie, ob die Datei vorhanden ist und GDAL sie lesen kann.</translation>
    </message>
    <message>
        <source>{role} {name} comes from the provider &apos;{provider}&apos;, but only raster files that GDAL reads can be sharpened. Export the layer to a GeoTIFF first (right click, Export, Save As).</source>
        <translation>{role} {name} kommt vom Datenanbieter „{provider}“, aber nur Rasterdateien, die GDAL liest, können geschärft werden. Exportieren Sie den Layer zuerst als GeoTIFF (Rechtsklick, Export, Speichern als).</translation>
    </message>
    <message>
        <source>{role} {name} ({source}) can be opened by this QGIS alone, not by the engine, which is a process of its own. Export the layer to a GeoTIFF first (right click, Export, Save As).</source>
        <translation>{role} {name} ({source}) kann nur dieses QGIS öffnen, nicht die Recheneinheit, die ein eigener Prozess ist. Exportieren Sie den Layer zuerst als GeoTIFF (Rechtsklick, Export, Speichern als).</translation>
    </message>
    <message>
        <source>The example is a GeoTIFF: give {file} the ending .tif.</source>
        <translation>Das Beispiel ist ein GeoTIFF: geben Sie {file} die Endung .tif.</translation>
    </message>
    <message>
        <source>{file} cannot be written ({error}). Choose another place.</source>
        <translation>{file} kann nicht geschrieben werden ({error}). Wählen Sie einen anderen Ort.</translation>
    </message>
    <message>
        <source>PAN has {pans} rasters and MS has {mss}; give one MS for each PAN, in the same order.</source>
        <translation>PAN hat {pans} Raster und MS hat {mss}; geben Sie zu jedem PAN ein MS an, in derselben Reihenfolge.</translation>
    </message>
    <message>
        <source>OTFM Pansharpen</source>
        <translation>OTFM Pansharpen</translation>
    </message>
    <message>
        <source>Makes a multispectral raster (MS) as sharp as the panchromatic one (PAN) of the same scene, without changing its colours.

A neural flow carries the interpolated MS to the sharp one in a single step. One set of weights serves every sensor, band count and bit depth. The scene&apos;s own statistics, the shift between the two rasters and the sharpness of MS relative to PAN are measured first and logged.

The output has PAN&apos;s grid where MS exists, and the data type, nodata value, band names and rendering of MS. Runs on CUDA where there is a GPU and on any CPU, in a process of its own. Set up the engine (otfm:setup) installs what it needs.</source>
        <translation>Macht ein multispektrales Raster (MS) so scharf wie das panchromatische (PAN) derselben Szene, ohne seine Farben zu ändern.

Ein neuronaler Fluss führt das interpolierte MS in einem einzigen Schritt zum scharfen. Ein Satz Gewichte dient allen Sensoren, Kanalzahlen und Bittiefen: Statistik der Szene, Versatz der beiden Raster und Schärfe von MS gegenüber PAN werden zuerst gemessen und ins Protokoll geschrieben.

Die Ausgabe hat das Gitter von PAN, soweit MS reicht, und Datentyp, Nodata-Wert, Kanalnamen und Darstellung von MS. Gerechnet wird mit CUDA, wo es eine GPU gibt, und auf jeder CPU, in einem eigenen Prozess. Recheneinheit einrichten (otfm:setup) installiert, was dazu nötig ist.</translation>
    </message>
    <message>
        <source>OTFM Preview of the map</source>
        <translation>OTFM Vorschau der Karte</translation>
    </message>
    <message>
        <source>Sharpen what the map shows, in seconds, as the whole scene would be.</source>
        <translation>Schärft, was die Karte zeigt, in Sekunden, wie es die ganze Szene würde.</translation>
    </message>
    <message>
        <source>Sharpens what the map shows, so that you can check the result before the whole scene is made. Zoom, run, look, move the map, and run again.

Shift, sharpness and statistics are those of the whole scene, so the preview shows what OTFM Pansharpen will make of it. They are measured the first time and kept: from then on, it takes seconds. A map that shows more than a screen of PAN pixels is sharpened in its middle.</source>
        <translation>Schärft, was die Karte zeigt, damit Sie urteilen können, bevor die ganze Szene berechnet wird. Zoomen, ausführen, ansehen, Karte verschieben, wieder ausführen.

Versatz, Schärfe und Statistik sind die der ganzen Szene, also zeigt die Vorschau, was OTFM Pansharpen aus ihr machen wird. Sie werden beim ersten Mal gemessen und behalten: danach dauert es Sekunden. Zeigt die Karte mehr als einen Bildschirm voll PAN-Pixel, wird ihre Mitte geschärft.</translation>
    </message>
    <message>
        <source>OTFM Fine-tune weights</source>
        <translation>OTFM Gewichte nachtrainieren</translation>
    </message>
    <message>
        <source>Makes the weights of OTFM Pansharpen better on your own scene, in minutes, on this machine.

The scene is shrunk by its own ratio, with its own blur and noise, so that MS itself becomes the sharp truth to learn from. Blocks of the scene are held out and never trained on. They decide which weights are kept, and the figures in the log and in the outputs are theirs. Where nothing better is found, the start weights are written unchanged.

Choose the result as the quality in OTFM Pansharpen, for this scene and others of the same sensor. Several pairs of one sensor teach more than one. Cancelling keeps the best weights so far. Set up the engine (otfm:setup) installs what it needs.</source>
        <translation>Verbessert die Gewichte von OTFM Pansharpen an der eigenen Szene, in Minuten, auf diesem Rechner.

Die Szene wird um ihr eigenes Verhältnis verkleinert, mit ihrer eigenen Unschärfe und ihrem Rauschen, so dass MS selbst die scharfe Wahrheit wird, an der gelernt wird. Blöcke der Szene werden zurückgehalten: an ihnen wird nie trainiert, sie entscheiden, welche Gewichte behalten werden, und die Zahlen im Protokoll und in den Ausgaben sind ihre. Wo nichts Besseres gefunden wird, werden die Ausgangsgewichte unverändert geschrieben.

Wählen Sie das Ergebnis als Qualität in OTFM Pansharpen, für diese Szene und andere desselben Sensors. Mehrere Paare eines Sensors lehren mehr als eines. Ein Abbruch behält die bisher besten Gewichte. Recheneinheit einrichten (otfm:setup) installiert, was nötig ist.</translation>
    </message>
    <message>
        <source>Set up the engine</source>
        <translation>Recheneinheit einrichten</translation>
    </message>
    <message>
        <source>OTFM Sharpen a satellite product</source>
        <translation>OTFM Satellitenprodukt schärfen</translation>
    </message>
    <message>
        <source>OTFM Assess a sharpened raster</source>
        <translation>OTFM Geschärftes Raster bewerten</translation>
    </message>
    <message>
        <source>Say how good sharpened rasters of any tool are, in plain sentences, with figures, maps and a report.</source>
        <translation>Sagt, wie gut geschärfte Raster beliebiger Werkzeuge sind: in klaren Sätzen, mit Zahlen, Karten und einem Bericht.</translation>
    </message>
    <message>
        <source>Add example data</source>
        <translation>Beispieldaten hinzufügen</translation>
    </message>
    <message>
        <source>Load a small pair of rasters, made up, to try OTFM Pansharpen on.</source>
        <translation>Lädt ein kleines, erdachtes Rasterpaar, um OTFM Pansharpen auszuprobieren.</translation>
    </message>
    <message>
        <source>Loads a small pair to try the plugin on. The panchromatic raster has pixels of 15 m. Blue, green, red and near infrared have pixels of 30 m.

The scene is made up, by a script of this project. It shows no real place: it lies in the sea, where the equator meets the meridian of Greenwich. Its files are in the public domain (CC0).</source>
        <translation>Lädt ein kleines Paar, um das Plugin auszuprobieren: ein panchromatisches Raster mit Pixeln von 15 m, und Blau, Grün, Rot und nahes Infrarot mit Pixeln von 30 m.

Die Szene ist erdacht, von einem Skript dieses Projekts. Sie zeigt keinen wirklichen Ort: sie liegt im Meer, wo der Äquator den Meridian von Greenwich trifft. Ihre Dateien sind gemeinfrei (CC0).</translation>
    </message>
    <message>
        <source>Panchromatic raster</source>
        <translation>Panchromatisches Raster</translation>
    </message>
    <message>
        <source>Multispectral raster</source>
        <translation>Multispektrales Raster</translation>
    </message>
    <message>
        <source>Quality</source>
        <translation>Qualität</translation>
    </message>
    <message>
        <source>Minutes of tuning</source>
        <translation>Minuten des Nachtrainierens</translation>
    </message>
    <message>
        <source>Extent</source>
        <translation>Ausdehnung</translation>
    </message>
    <message>
        <source>Multispectral bands</source>
        <translation>Multispektrale Kanäle</translation>
    </message>
    <message>
        <source>More bands of the multispectral raster, one raster per band</source>
        <translation>Weitere Kanäle des multispektralen Rasters, ein Raster je Kanal</translation>
    </message>
    <message>
        <source>Polygons of ground that is not measured, such as clouds</source>
        <translation>Polygone von Flächen, die nicht vermessen werden, etwa Wolken</translation>
    </message>
    <message>
        <source>MTF gain at Nyquist</source>
        <translation>MTF-Wert bei Nyquist</translation>
    </message>
    <message>
        <source>Tuned weights to keep</source>
        <translation>Nachtrainierte Gewichte, die bleiben</translation>
    </message>
    <message>
        <source>Seed of the tuning</source>
        <translation>Startwert des Nachtrainierens</translation>
    </message>
    <message>
        <source>Data type of the output</source>
        <translation>Datentyp der Ausgabe</translation>
    </message>
    <message>
        <source>Build overviews</source>
        <translation>Übersichtspyramiden erstellen</translation>
    </message>
    <message>
        <source>Creation options of the output</source>
        <translation>Erzeugungsoptionen der Ausgabe</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>Genauigkeit</translation>
    </message>
    <message>
        <source>Steps of the flow</source>
        <translation>Schritte des Flusses</translation>
    </message>
    <message>
        <source>Memory (MB)</source>
        <translation>Speicher (MB)</translation>
    </message>
    <message>
        <source>Tile size (PAN pixels)</source>
        <translation>Kachelgröße (PAN-Pixel)</translation>
    </message>
    <message>
        <source>Sharpened raster</source>
        <translation>Geschärftes Raster</translation>
    </message>
    <message>
        <source>Preview</source>
        <translation>Vorschau</translation>
    </message>
    <message>
        <source>Bands to sharpen</source>
        <translation>Zu schärfende Kanäle</translation>
    </message>
    <message>
        <source>Load the sharpened rasters</source>
        <translation>Die geschärften Raster laden</translation>
    </message>
    <message>
        <source>Keep virtual rasters</source>
        <translation>Virtuelle Raster behalten</translation>
    </message>
    <message>
        <source>Folder for the sharpened rasters</source>
        <translation>Ordner für die geschärften Raster</translation>
    </message>
    <message>
        <source>Sharpened rasters, by any tool</source>
        <translation>Geschärfte Raster, von beliebigen Werkzeugen</translation>
    </message>
    <message>
        <source>Report</source>
        <translation>Bericht</translation>
    </message>
    <message>
        <source>Folder for block maps</source>
        <translation>Ordner für Karten der Blöcke</translation>
    </message>
    <message>
        <source>Panchromatic rasters</source>
        <translation>Panchromatische Raster</translation>
    </message>
    <message>
        <source>Multispectral rasters, in the same order</source>
        <translation>Multispektrale Raster, in derselben Reihenfolge</translation>
    </message>
    <message>
        <source>Weights to start from</source>
        <translation>Gewichte, von denen ausgegangen wird</translation>
    </message>
    <message>
        <source>Steps, instead of minutes</source>
        <translation>Schritte, anstelle von Minuten</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>Startwert des Zufalls</translation>
    </message>
    <message>
        <source>Keep the best weights on cancel</source>
        <translation>Bei Abbruch die besten Gewichte behalten</translation>
    </message>
    <message>
        <source>Fine-tuned weights</source>
        <translation>Nachtrainierte Gewichte</translation>
    </message>
    <message>
        <source>What to do</source>
        <translation>Was zu tun ist</translation>
    </message>
    <message>
        <source>Build of torch</source>
        <translation>Ausgabe von torch</translation>
    </message>
    <message>
        <source>Folder of wheels, without network</source>
        <translation>Ordner mit Wheels, ohne Netz</translation>
    </message>
    <message>
        <source>Address of a package index</source>
        <translation>Adresse eines Paketindex</translation>
    </message>
    <message>
        <source>Example, panchromatic</source>
        <translation>Beispiel, panchromatisch</translation>
    </message>
    <message>
        <source>Example, multispectral</source>
        <translation>Beispiel, multispektral</translation>
    </message>
    <message>
        <source>The sharp raster: one panchromatic band with the smaller pixels.</source>
        <translation>Das scharfe Raster: ein panchromatischer Kanal mit den kleineren Pixeln.</translation>
    </message>
    <message>
        <source>Which bands to sharpen, in the order of the output. Leave empty for all but alpha.</source>
        <translation>Welche Kanäle geschärft werden, in der Reihenfolge der Ausgabe. Leer: alle außer Alpha.</translation>
    </message>
    <message>
        <source>Only this part is sharpened; leave empty for all that both rasters cover. Statistics are still those of the whole scene, so parts of one scene fit together.</source>
        <translation>Nur dieser Teil wird geschärft; leer: alles, was beide Raster abdecken. Die Statistik bleibt die der ganzen Szene, darum passen Teile einer Szene zusammen.</translation>
    </message>
    <message>
        <source>Polygons in any reference system, for example of clouds and their shadows. What they touch is sharpened, but shift, sharpness, statistics, quality and tuning do without it. Leave empty to measure everywhere.</source>
        <translation>Polygone in beliebigem Bezugssystem, etwa von Wolken und ihren Schatten. Was sie berühren, wird geschärft, aber Versatz, Schärfe, Statistik, Qualität und Nachtrainieren kommen ohne es aus. Leer: überall messen.</translation>
    </message>
    <message>
        <source>Which blocks are held out in tuning, and all other chance.</source>
        <translation>Welche Blöcke beim Nachtrainieren zurückgehalten werden, und aller weitere Zufall.</translation>
    </message>
    <message>
        <source>auto takes CUDA where torch finds a GPU, with all GPUs of one kind, else the CPU.</source>
        <translation>auto nimmt CUDA, wo torch eine GPU findet, mit allen GPUs einer Art, sonst die CPU.</translation>
    </message>
    <message>
        <source>auto takes bfloat16 where the hardware multiplies it (GPU, CPU with AMX or AVX512-BF16), else float32. fp32 gives the same raster whatever the tile size.</source>
        <translation>auto nimmt bfloat16, wo die Hardware es multipliziert (GPU, CPU mit AMX oder AVX512-BF16), sonst float32. fp32 gibt bei jeder Kachelgröße dasselbe Raster.</translation>
    </message>
    <message>
        <source>How many steps the flow takes. 1 is what the weights are trained for; more costs more time.</source>
        <translation>Wie viele Schritte der Fluss macht. Für 1 sind die Gewichte trainiert; mehr kosten mehr Zeit.</translation>
    </message>
    <message>
        <source>Leave empty to measure on the scene how much contrast MS keeps at each frequency. A number stands for a Gaussian that keeps this contrast at the MS Nyquist frequency: 0.05 is much softer than its pixels, 0.5 is crisp.</source>
        <translation>Leer lassen, um an der Szene zu messen, wie viel Kontrast MS bei jeder Frequenz behält. Eine Zahl steht für eine Gauß-Funktion, die diesen Kontrast bei der Nyquist-Frequenz von MS behält: 0,05 ist viel weicher als die Pixel, 0,5 ist knackig.</translation>
    </message>
    <message>
        <source>How much memory the tiles in work may take, whatever the size of the raster. torch and GDAL themselves need some 600 MB more. Leave empty for a quarter of the machine&apos;s memory, at most 2048 MB.</source>
        <translation>Wie viel Speicher die Kacheln in Arbeit belegen dürfen, wie groß das Raster auch ist. torch und GDAL selbst brauchen noch etwa 600 MB. Leer: ein Viertel des Speichers, höchstens 2048 MB.</translation>
    </message>
    <message>
        <source>The type of the output&apos;s pixels. A few values that it cannot hold are clipped, and the log says so. A run that would clip more than a quarter of a band is refused.</source>
        <translation>Der Typ der Ausgabepixel. Einzelne Werte, die er nicht fasst, werden gekappt, und das Protokoll sagt es. Ein Lauf, der mehr als ein Viertel eines Bandes kappen würde, wird abgelehnt.</translation>
    </message>
    <message>
        <source>Whether smaller copies of the output are stored with it, so that it draws fast when zoomed out.</source>
        <translation>Ob verkleinerte Kopien der Ausgabe mitgespeichert werden, damit sie herausgezoomt schnell zeichnet.</translation>
    </message>
    <message>
        <source>GDAL creation options of the output format, for example COMPRESS=DEFLATE. A GeoTIFF is tiled and not compressed unless asked for; the predictor then suits the data type.</source>
        <translation>GDAL-Erzeugungsoptionen des Ausgabeformats, etwa COMPRESS=DEFLATE. Ein GeoTIFF ist gekachelt und nicht komprimiert, wenn nichts anderes verlangt ist; der Prädiktor passt dann zum Datentyp.</translation>
    </message>
    <message>
        <source>The sharpened raster. The extension decides the format; .cog.tif makes a cloud-optimised GeoTIFF.</source>
        <translation>Das geschärfte Raster. Die Endung bestimmt das Format; .cog.tif macht ein cloud-optimiertes GeoTIFF.</translation>
    </message>
    <message>
        <source>Fast takes seconds. Best makes errors about 4 % smaller and takes two to five times as long. A .safetensors file of this plugin, for example fine-tuned on the sensor, is used in their place.</source>
        <translation>„Schnell“ braucht Sekunden. „Am besten“ macht die Fehler um etwa 4 % kleiner und braucht zwei- bis fünfmal so lange. Eine .safetensors-Datei dieses Plugins, etwa für den Sensor nachtrainiert, wird an ihrer Stelle verwendet.</translation>
    </message>
    <message>
        <source>The part that is sharpened. Leave empty for what the map shows.</source>
        <translation>Der Teil, der geschärft wird. Leer: was die Karte zeigt.</translation>
    </message>
    <message>
        <source>The preview, a temporary layer unless a file is chosen.</source>
        <translation>Die Vorschau, ein temporärer Layer, wenn keine Datei gewählt ist.</translation>
    </message>
    <message>
        <source>all takes every band that PAN can sharpen, in the product&apos;s order, so no thermal or cirrus bands. colour and NIR takes red, green, blue and near infrared; natural colour takes red, green and blue.</source>
        <translation>all nimmt jeden Kanal, den PAN schärfen kann, in der Reihenfolge des Produkts, also keine thermalen und keine Zirruskanäle. colour and NIR nimmt Rot, Grün, Blau und nahes Infrarot; natural colour nimmt Rot, Grün und Blau.</translation>
    </message>
    <message>
        <source>Only this part of each product is sharpened. Leave empty for all of it.</source>
        <translation>Nur dieser Teil jedes Produkts wird geschärft. Leer: alles.</translation>
    </message>
    <message>
        <source>Whether virtual rasters (.vrt) of the fused bands stay next to the results.</source>
        <translation>Ob virtuelle Raster (.vrt) der Kanäle, wie sie verarbeitet wurden, neben den Ergebnissen bleiben.</translation>
    </message>
    <message>
        <source>Whether the sharpened rasters are loaded, in natural colours.</source>
        <translation>Ob die geschärften Raster geladen werden, in natürlichen Farben.</translation>
    </message>
    <message>
        <source>Where the sharpened rasters go: NAME_sharp.tif for each product.</source>
        <translation>Wohin die geschärften Raster kommen: NAME_sharp.tif für jedes Produkt.</translation>
    </message>
    <message>
        <source>The panchromatic raster that was used.</source>
        <translation>Das panchromatische Raster, das verwendet wurde.</translation>
    </message>
    <message>
        <source>The multispectral raster that was used.</source>
        <translation>Das multispektrale Raster, das verwendet wurde.</translation>
    </message>
    <message>
        <source>One or more results of these two rasters, which are compared.</source>
        <translation>Ein oder mehrere Ergebnisse dieser beiden Raster, die nebeneinandergestellt werden.</translation>
    </message>
    <message>
        <source>Which bands of MS the results show. Leave empty for all but alpha.</source>
        <translation>Welche Kanäle von MS die Ergebnisse zeigen. Leer: alle außer Alpha.</translation>
    </message>
    <message>
        <source>One HTML file that needs nothing else: verdict, figures, maps, the worst and the middle block, spectra, histograms, and how it was measured.</source>
        <translation>Eine HTML-Datei, die nichts weiter braucht: Urteil, Zahlen, Karten, der schlechteste und der mittlere Block, Spektren, Histogramme, und wie gemessen wurde.</translation>
    </message>
    <message>
        <source>A folder for a raster of each result, with one pixel for 32 x 32 of PAN: quality, colours, detail. They are loaded in colours from bad to good. Leave empty for none.</source>
        <translation>Ein Ordner für ein Raster zu jedem Ergebnis, mit einem Pixel für 32 x 32 von PAN: Qualität, Farben, Detail. Sie werden in Farben von schlecht bis gut geladen. Leer: keines.</translation>
    </message>
    <message>
        <source>The panchromatic raster of each scene; of one raster with several bands, the first is used. Usually one; several scenes of the same sensor are matched in order with MS.</source>
        <translation>Das panchromatische Raster jeder Szene; von einem Raster mit mehreren Kanälen wird der erste verwendet. Meist eines; mehrere Szenen desselben Sensors werden der Reihe nach MS zugeordnet.</translation>
    </message>
    <message>
        <source>Only this part of the scenes is learnt from, for example one without clouds; leave empty for all of it. It has to hold at least 96 x 96 MS pixels.</source>
        <translation>Nur an diesem Teil der Szenen wird gelernt, etwa einem ohne Wolken; leer: an allem. Er muss mindestens 96 x 96 MS-Pixel enthalten.</translation>
    </message>
    <message>
        <source>Polygons in any reference system, for example of clouds and their shadows, that nothing is learnt from. Leave empty to learn from all.</source>
        <translation>Polygone in beliebigem Bezugssystem, etwa von Wolken und ihren Schatten, an denen nicht gelernt wird. Leer: an allem lernen.</translation>
    </message>
    <message>
        <source>The weights to start from: fast or best for a bundled set, or a .safetensors file of this plugin, for example a fine-tuned one.</source>
        <translation>Die Gewichte, von denen ausgegangen wird: fast oder best für einen mitgelieferten Satz, oder eine .safetensors-Datei dieses Plugins, etwa eine früher nachtrainierte.</translation>
    </message>
    <message>
        <source>How long to train. 3 is enough for one scene on most machines; a GPU needs less.</source>
        <translation>Wie lange trainiert wird. 3 genügen für eine Szene auf den meisten Rechnern; eine GPU braucht weniger.</translation>
    </message>
    <message>
        <source>auto takes CUDA where torch finds a GPU, else the CPU.</source>
        <translation>auto nimmt CUDA, wo torch eine GPU findet, sonst die CPU.</translation>
    </message>
    <message>
        <source>Which blocks are held out, and all other chance. Another seed gives another, similar result.</source>
        <translation>Welche Blöcke zurückgehalten werden, und aller weitere Zufall. Ein anderer Startwert gibt ein anderes, ähnliches Ergebnis.</translation>
    </message>
    <message>
        <source>Whether cancelling writes the best weights found until then, if any are better than the start. Otherwise cancelling leaves no file.</source>
        <translation>Ob ein Abbruch die bis dahin besten Gewichte schreibt, wenn sie besser sind als die Ausgangsgewichte. Sonst hinterlässt ein Abbruch keine Datei.</translation>
    </message>
    <message>
        <source>The fine-tuned weights, a .safetensors file. Dialogs offer it as a quality where it lies in the folder of the profile that is proposed. A file with their SHA-256 is written next to it.</source>
        <translation>Die nachtrainierten Gewichte, eine .safetensors-Datei. Dialoge bieten sie als Qualität an, wenn sie im vorgeschlagenen Ordner liegt. Eine Datei mit ihrer SHA-256 wird daneben geschrieben.</translation>
    </message>
    <message>
        <source>One HTML file with the learning curve, pictures before and after, the figures of the held-out blocks and the settings.</source>
        <translation>Eine HTML-Datei mit Lernkurve, Bildern vorher und nachher, den Zahlen der zurückgehaltenen Blöcke und den Einstellungen.</translation>
    </message>
    <message>
        <source>Install does nothing where torch works already. Check writes a report. Repair installs again, even where torch works. Remove deletes the folder that was installed.</source>
        <translation>„Installieren“ tut nichts, wo torch schon läuft. „Prüfen“ schreibt einen Bericht. „Reparieren“ installiert neu, auch wo torch läuft. „Entfernen“ löscht den Ordner, der installiert wurde.</translation>
    </message>
    <message>
        <source>For machines without network: a folder with the wheels of torch, safetensors and what they need for this Python, fetched elsewhere with pip download. They are not checked by hash.</source>
        <translation>Für Rechner ohne Netz: ein Ordner mit den Wheels von torch, safetensors und was diese brauchen, für dieses Python, anderswo mit pip download geholt. Sie werden nicht mit Prüfsummen verglichen.</translation>
    </message>
    <message>
        <source>Where the panchromatic raster is written, a GeoTIFF.</source>
        <translation>Wohin das panchromatische Raster geschrieben wird, ein GeoTIFF.</translation>
    </message>
    <message>
        <source>Where the multispectral raster is written, a GeoTIFF.</source>
        <translation>Wohin das multispektrale Raster geschrieben wird, ein GeoTIFF.</translation>
    </message>
    <message>
        <source>Device used</source>
        <translation>Verwendetes Gerät</translation>
    </message>
    <message>
        <source>Ratio of the pixel sizes</source>
        <translation>Verhältnis der Pixelgrößen</translation>
    </message>
    <message>
        <source>Measured shift across, in PAN pixels</source>
        <translation>Gemessener Versatz quer, in PAN-Pixeln</translation>
    </message>
    <message>
        <source>Measured shift down, in PAN pixels</source>
        <translation>Gemessener Versatz nach unten, in PAN-Pixeln</translation>
    </message>
    <message>
        <source>MTF gain used</source>
        <translation>Verwendeter MTF-Wert</translation>
    </message>
    <message>
        <source>Quality without reference (HQNR) of pieces</source>
        <translation>Qualität ohne Referenz (HQNR) von Stücken</translation>
    </message>
    <message>
        <source>ERGAS of the same pieces, made coarser by the ratio</source>
        <translation>ERGAS derselben Stücke, um das Verhältnis vergröbert</translation>
    </message>
    <message>
        <source>SHA-256 of the weights</source>
        <translation>SHA-256 der Gewichte</translation>
    </message>
    <message>
        <source>Seconds</source>
        <translation>Sekunden</translation>
    </message>
    <message>
        <source>Sharpened rasters</source>
        <translation>Geschärfte Raster</translation>
    </message>
    <message>
        <source>Products sharpened</source>
        <translation>Geschärfte Produkte</translation>
    </message>
    <message>
        <source>Products that were complete already</source>
        <translation>Produkte, die schon fertig waren</translation>
    </message>
    <message>
        <source>Products that failed or are not complete</source>
        <translation>Produkte, die scheiterten oder nicht vollständig sind</translation>
    </message>
    <message>
        <source>Block maps</source>
        <translation>Karten der Blöcke</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>Urteil</translation>
    </message>
    <message>
        <source>Faults of the first raster, by one word each</source>
        <translation>Fehler des ersten Rasters, je ein Wort</translation>
    </message>
    <message>
        <source>D_lambda of the first raster</source>
        <translation>D_lambda des ersten Rasters</translation>
    </message>
    <message>
        <source>D_s of the first raster</source>
        <translation>D_s des ersten Rasters</translation>
    </message>
    <message>
        <source>HQNR of the first raster</source>
        <translation>HQNR des ersten Rasters</translation>
    </message>
    <message>
        <source>ERGAS of the held-out blocks before</source>
        <translation>ERGAS der zurückgehaltenen Blöcke vorher</translation>
    </message>
    <message>
        <source>ERGAS of the held-out blocks after</source>
        <translation>ERGAS der zurückgehaltenen Blöcke nachher</translation>
    </message>
    <message>
        <source>Quality without reference (HQNR) of the held-out blocks before</source>
        <translation>Qualität ohne Referenz (HQNR) der zurückgehaltenen Blöcke vorher</translation>
    </message>
    <message>
        <source>Quality without reference (HQNR) of the held-out blocks after</source>
        <translation>Qualität ohne Referenz (HQNR) der zurückgehaltenen Blöcke nachher</translation>
    </message>
    <message>
        <source>Steps trained</source>
        <translation>Trainierte Schritte</translation>
    </message>
    <message>
        <source>Version of torch</source>
        <translation>Version von torch</translation>
    </message>
    <message>
        <source>Report on this machine</source>
        <translation>Bericht über diesen Rechner</translation>
    </message>
    <message>
        <source>Fast (seconds)</source>
        <translation>Schnell (Sekunden)</translation>
    </message>
    <message>
        <source>Best (errors about 4 % smaller, two to five times as long)</source>
        <translation>Am besten (Fehler etwa 4 % kleiner, zwei- bis fünfmal so lange)</translation>
    </message>
    <message>
        <source>Tuned on this scene (errors another 4 % smaller, some minutes)</source>
        <translation>An dieser Szene nachtrainiert (Fehler nochmals 4 % kleiner, einige Minuten)</translation>
    </message>
    <message>
        <source>Fast</source>
        <translation>Schnell</translation>
    </message>
    <message>
        <source>Best</source>
        <translation>Am besten</translation>
    </message>
    <message>
        <source>A weights file…</source>
        <translation>Eine Gewichtsdatei…</translation>
    </message>
    <message>
        <source>Weights (*.safetensors)</source>
        <translation>Gewichte (*.safetensors)</translation>
    </message>
    <message>
        <source>HTML files (*.html)</source>
        <translation>HTML-Dateien (*.html)</translation>
    </message>
    <message>
        <source>{ms} made as sharp as {pan} by OTFM Pansharpen {version} ({quality}). Ratio {ratio:.4g}; shift corrected {rows:+.2f} rows, {columns:+.2f} columns of PAN; MTF gain {gain:.3f}.</source>
        <translation>{ms}, so scharf wie {pan}, von OTFM Pansharpen {version} ({quality}). Verhältnis {ratio:.4g}; ausgeglichener Versatz {rows:+.2f} Zeilen, {columns:+.2f} Spalten von PAN; MTF-Wert {gain:.3f}.</translation>
    </message>
    <message>
        <source>Quality without reference (HQNR) {hqnr:.3f}.</source>
        <translation>Qualität ohne Referenz (HQNR) {hqnr:.3f}.</translation>
    </message>
    <message>
        <source>{date}: otfm:pansharpen, version {version}; PAN {pan}, MS {ms}, weights with SHA-256 {sha256}.</source>
        <translation>{date}: otfm:pansharpen, Version {version}; PAN {pan}, MS {ms}, Gewichte mit SHA-256 {sha256}.</translation>
    </message>
    <message>
        <source>Sharpened products</source>
        <translation>Geschärfte Produkte</translation>
    </message>
    <message>
        <source>{name} is {given}, but bands are given by their numbers from 1, for example 3,2,1.</source>
        <translation>{name} ist {given}, aber Kanäle werden mit ihren Nummern ab 1 angegeben, zum Beispiel 3,2,1.</translation>
    </message>
    <message>
        <source>{name} is {given}, which is not a number. Give a number, or leave it empty where it is optional.</source>
        <translation>{name} ist {given}, das ist keine Zahl. Geben Sie eine Zahl an, oder lassen Sie es leer, wo es optional ist.</translation>
    </message>
    <message>
        <source>{name} is {given}, which is neither true nor false. Give true or false.</source>
        <translation>{name} ist {given}, das ist weder wahr noch falsch. Geben Sie true oder false an.</translation>
    </message>
    <message>
        <source>{name} is {quality}, which is neither {choices} nor a weights file that exists. Give one of these words, or the path of a .safetensors file.</source>
        <translation>{name} ist {quality}, das ist weder {choices} noch eine vorhandene Gewichtsdatei. Geben Sie eines dieser Wörter oder den Pfad einer .safetensors-Datei an.</translation>
    </message>
    <message>
        <source>MASK {given} cannot be opened as a layer of polygons. Choose one, or leave it empty.</source>
        <translation>MASK {given} lässt sich nicht als Polygonlayer öffnen. Wählen Sie einen aus, oder lassen Sie es leer.</translation>
    </message>
    <message>
        <source>No polygon of MASK {mask} overlaps PAN {pan}: nothing is left out.</source>
        <translation>Kein Polygon von MASK {mask} liegt auf PAN {pan}: nichts wird ausgelassen.</translation>
    </message>
    <message>
        <source>{name} {fault}. Choose another name.</source>
        <translation>{name} {fault}. Wählen Sie einen anderen Namen.</translation>
    </message>
    <message>
        <source>The extent {extent} cannot be brought to the reference system of {name} ({system}). Choose an extent that overlaps the rasters, or leave it empty for all that both cover.</source>
        <translation>Die Ausdehnung {extent} lässt sich nicht in das Bezugssystem von {name} ({system}) umrechnen. Wählen Sie eine Ausdehnung, die auf den Rastern liegt, oder lassen Sie sie leer für alles, was beide abdecken.</translation>
    </message>
    <message>
        <source>PAN {pan} and MS {ms} do not overlap: they show different areas. Choose one scene.</source>
        <translation>PAN {pan} und MS {ms} überlappen nicht: sie liegen an verschiedenen Orten. Wählen Sie eine Szene.</translation>
    </message>
    <message>
        <source>{role} {name} holds complex numbers; real numbers are needed.</source>
        <translation>{role} {name} enthält komplexe Zahlen; reelle Zahlen sind nötig.</translation>
    </message>
    <message>
        <source>The extent {extent} does not meet the area that PAN and MS share: x {left:.10g} to {right:.10g}, y {bottom:.10g} to {top:.10g}. Choose another extent, or leave it empty for all that both cover.</source>
        <translation>Die Ausdehnung {extent} trifft das Gebiet nicht, das PAN und MS teilen: x {left:.10g} bis {right:.10g}, y {bottom:.10g} bis {top:.10g}. Wählen Sie eine andere Ausdehnung, oder lassen Sie sie leer für alles, was beide abdecken.</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>Alle Dateien (*)</translation>
    </message>
    <message>
        <source>There is no map here. Give EXTENT, the part that is to be sharpened.</source>
        <translation>Hier gibt es keine Karte. Geben Sie EXTENT an, den Teil, der geschärft werden soll.</translation>
    </message>
    <message>
        <source>The map shows {wide:.0f} x {high:.0f} pixels of PAN; the middle {columns:.0f} x {rows:.0f} are sharpened. Zoom in to see another part.</source>
        <translation>Die Karte zeigt {wide:.0f} x {high:.0f} Pixel von PAN; die mittleren {columns:.0f} x {rows:.0f} werden geschärft. Zoomen Sie hinein, um einen anderen Teil zu sehen.</translation>
    </message>
    <message>
        <source>What the map shows cannot be brought to the reference system of {name} ({system}). Zoom to the layer, then run again.</source>
        <translation>Was die Karte zeigt, lässt sich nicht in das Bezugssystem von {name} ({system}) umrechnen. Zoomen Sie auf den Layer, und führen Sie erneut aus.</translation>
    </message>
    <message>
        <source>The map shows nothing of PAN {pan}. Zoom to what you want to see sharpened, then run again.</source>
        <translation>Die Karte zeigt nichts von PAN {pan}. Zoomen Sie dorthin, was Sie geschärft sehen wollen, und führen Sie erneut aus.</translation>
    </message>
    <message>
        <source>The folder {folder} cannot be made ({error}). Choose another one.</source>
        <translation>Der Ordner {folder} kann nicht angelegt werden ({error}). Wählen Sie einen anderen.</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automatisch</translation>
    </message>
    <message>
        <source>These are the defaults of dialogs, scripts and qgis_process. What is chosen there has precedence.</source>
        <translation>Davon gehen Dialoge, Skripte und qgis_process aus. Was dort gewählt wird, hat Vorrang.</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Speicher</translation>
    </message>
    <message>
        <source>Folder of tuned weights</source>
        <translation>Ordner nachtrainierter Gewichte</translation>
    </message>
    <message>
        <source>Says how good a sharpened raster is, whoever made it, and what is wrong with it in plain sentences.

At full resolution, where no truth is known: D_lambda, D_s and HQNR, next to interpolation and four classical methods. At reduced resolution, where MS itself is the truth: ERGAS, SAM, Q2n and SCC of those methods. This plugin is among them where the raster came from it. The report names a shift, too much or too little detail, changed colours and seams.

Rasters on other pixels, in another reference system, with other bands or stretched to 8 bits are compared as far as possible. The report says how. Large rasters are measured on nine pieces. It runs before the engine is set up, too; results of this plugin are then not made again at reduced resolution.</source>
        <translation>Sagt in klaren Sätzen, wie gut ein geschärftes Raster ist, wer immer es gemacht hat, und was daran falsch ist.

In voller Auflösung, wo niemand die Wahrheit kennt: D_lambda, D_s und HQNR, neben Interpolation und vier klassischen Verfahren. Eine Stufe gröber, wo MS selbst die Wahrheit ist: ERGAS, SAM, Q2n und SCC dieser Verfahren, und dieses Plugins, wenn das Raster von ihm stammt. Gesucht werden Versatz, zu viel oder zu wenig Detail, veränderte Farben und Nähte.

Raster auf anderen Pixeln, in anderem Bezugssystem, mit anderen Kanälen oder auf 8 Bit gestreckt werden verglichen, soweit es geht, und der Bericht sagt wie. Große Raster werden an neun Stücken gemessen. Es läuft auch, bevor die Recheneinheit eingerichtet ist; Ergebnisse dieses Plugins werden dann eine Stufe gröber nicht noch einmal berechnet.</translation>
    </message>
    <message>
        <source>The layer on the left or at the top</source>
        <translation>Der Layer links oder oben</translation>
    </message>
    <message>
        <source>Compare the result with the layer that it was made of.</source>
        <translation>Das Ergebnis mit dem Layer vergleichen, aus dem es entstand.</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>Vergleichen</translation>
    </message>
    <message>
        <source>There are no two rasters to compare. Add the result and the raster that it was made of to the project, choose the result in the Layers panel, and try again.</source>
        <translation>Es gibt keine zwei Raster zum Vergleichen. Das Ergebnis und das Raster, aus dem es entstand, zum Projekt hinzufügen, das Ergebnis im Layerbedienfeld wählen und erneut versuchen.</translation>
    </message>
    <message>
        <source>The project has no PAN and MS of one scene in one reference system. Add both rasters, zoom to them, then sharpen the map again.</source>
        <translation>Das Projekt hat kein PAN und MS einer Szene in einem Bezugssystem. Beide Raster hinzufügen, darauf zoomen und die Karte erneut schärfen.</translation>
    </message>
    <message>
        <source>Sharpen the map</source>
        <translation>Karte schärfen</translation>
    </message>
    <message>
        <source>Sharpen what the map shows, after each pan and zoom.</source>
        <translation>Schärft, was die Karte zeigt, nach jedem Verschieben und Zoomen.</translation>
    </message>
    <message>
        <source>Compare before and after</source>
        <translation>Vorher und nachher vergleichen</translation>
    </message>
    <message>
        <source>Drag a line over the map between the active layer and the MS that it was made of.</source>
        <translation>Eine Linie über die Karte ziehen: auf einer Seite der aktive Layer, auf der anderen das MS, aus dem er entstand.</translation>
    </message>
    <message>
        <source>Drag the line.</source>
        <translation>Die Linie ziehen.</translation>
    </message>
    <message>
        <source>Flicker (F)</source>
        <translation>Blinken (F)</translation>
    </message>
    <message>
        <source>Turn (X)</source>
        <translation>Drehen (X)</translation>
    </message>
    <message>
        <source>End (Esc)</source>
        <translation>Beenden (Esc)</translation>
    </message>
    <message>
        <source>Weights for the sensor</source>
        <translation>Gewichte für den Sensor</translation>
    </message>
    <message>
        <source>Name of the sensor</source>
        <translation>Name des Sensors</translation>
    </message>
    <message>
        <source>Which bundled weights fast, best and tuned use. auto takes those of a sensor where metadata or file names tell it, else the general ones. The log says which and why. A weights file chosen as quality stays.</source>
        <translation>Welche mitgelieferten Gewichte fast, best und tuned benutzen. auto nimmt die eines Sensors, wenn Metadaten oder Dateinamen ihn nennen, sonst die allgemeinen. Das Protokoll sagt, welche und warum. Eine als Qualität gewählte Gewichtsdatei bleibt.</translation>
    </message>
    <message>
        <source>A name for the sensor of the scenes, which lists show next to the weights. Leave empty for the name in the metadata of the scenes.</source>
        <translation>Ein Name für den Sensor der Szenen, den Listen neben den Gewichten zeigen. Leer lassen für den Namen in den Metadaten der Szenen.</translation>
    </message>
    <message>
        <source>Choose a folder…</source>
        <translation>Ordner wählen…</translation>
    </message>
    <message>
        <source>Choose a file…</source>
        <translation>Datei wählen…</translation>
    </message>
    <message>
        <source>{bands} of {scene}</source>
        <translation>{bands} von {scene}</translation>
    </message>
    <message>
        <source>Load the result as a layer</source>
        <translation>Ergebnis als Layer laden</translation>
    </message>
    <message>
        <source>Installs what OTFM Pansharpen computes with: torch, safetensors and what they need. Run it once.

Everything goes into a folder of its own in your QGIS profile. The Python of QGIS and that of your system stay unchanged. The log first lists what is fetched, how large it is, and where it goes. Every file is checked against a hash that ships with the plugin. Cancel leaves what was there before.

Check changes nothing. It writes a report on this machine, with a small scene whose answer is known. Put it into a request for help.</source>
        <translation>Installiert, womit OTFM Pansharpen rechnet: torch, safetensors und was diese brauchen. Einmal auszuführen.

Alles kommt in einen eigenen Ordner Ihres QGIS-Profils. Das Python von QGIS und das Ihres Systems bleiben, wie sie sind. Das Protokoll sagt zuerst, was geholt wird, wie groß es ist und wohin es kommt. Jede Datei wird mit einer Prüfsumme verglichen, die dem Plugin beiliegt. Ein Abbruch lässt stehen, was vorher da war.

„Prüfen“ ändert nichts. Es schreibt einen Bericht über diesen Rechner, mit einer kleinen Szene, deren Ergebnis bekannt ist. Legen Sie ihn einer Bitte um Hilfe bei.</translation>
    </message>
    <message>
        <source>The colour raster, or one raster per band, as Landsat has: pixels 1.5 to 16 times larger, over the same area. Several rasters share one grid, and come in the order of the output. Another reference system is reprojected while it is read.</source>
        <translation>Das Farbraster, oder ein Raster je Kanal wie bei Landsat: 1,5- bis 16-mal so große Pixel über demselben Gebiet. Mehrere Raster haben ein gemeinsames Gitter und die Reihenfolge der Ausgabe. Ein anderes Bezugssystem wird beim Lesen umgerechnet.</translation>
    </message>
    <message>
        <source>The other bands of MS, for scripts of earlier versions, where MS is the first band.</source>
        <translation>Die übrigen Kanäle von MS, für Skripte früherer Versionen, in denen MS der erste Kanal ist.</translation>
    </message>
    <message>
        <source>Fast takes seconds. Best makes errors about 4 % smaller and takes two to five times as long. Tuned tunes best on the scene itself for some minutes first. Held-out blocks decide whether the tuned weights are used, and the log has their figures. Errors are about 4 % smaller still. It needs at least 96 x 96 MS pixels. A .safetensors file of this plugin, for example fine-tuned on the sensor, is used unchanged.</source>
        <translation>„Schnell“ braucht Sekunden. „Am besten“ macht die Fehler um etwa 4 % kleiner und braucht zwei- bis fünfmal so lange. „Nachtrainiert“ trainiert die besten Gewichte zuerst einige Minuten lang an der Szene selbst nach. Blöcke werden zurückgehalten: sie entscheiden, ob die nachtrainierten Gewichte verwendet werden, und das Protokoll sagt, was dort gewonnen wurde; die Fehler werden nochmals um etwa 4 % kleiner. Nötig sind mindestens 96 x 96 MS-Pixel. Eine .safetensors-Datei dieses Plugins, etwa für den Sensor nachtrainiert, wird verwendet, wie sie ist.</translation>
    </message>
    <message>
        <source>How long to tune on the scene, where the quality is tuned. 1 to 3 are enough on most machines.</source>
        <translation>Wie lange an der Szene nachtrainiert wird, wenn die Qualität tuned ist. 1 bis 3 genügen auf den meisten Rechnern.</translation>
    </message>
    <message>
        <source>Where the tuned weights are kept, a .safetensors file to choose as quality for other scenes of the sensor. Used only where the quality is tuned; leave empty to keep none.</source>
        <translation>Wo die nachtrainierten Gewichte bleiben: eine .safetensors-Datei, die für andere Szenen des Sensors als Qualität gewählt wird. Gilt nur, wenn die Qualität tuned ist; leer: keine behalten.</translation>
    </message>
    <message>
        <source>The raster is sharpened in squares of this size. Leave empty for the largest that the memory allows.</source>
        <translation>Das Raster wird in Quadraten dieser Größe geschärft. Leer: die größten, die der Speicher erlaubt.</translation>
    </message>
    <message>
        <source>The multispectral raster of each scene, in the order of PAN, with the bands that will be sharpened. With one PAN it may be one raster per band. Alpha bands are left out.</source>
        <translation>Das multispektrale Raster jeder Szene, in der Reihenfolge von PAN, mit den Kanälen, die geschärft werden sollen. Bei einem PAN darf es ein Raster je Kanal sein. Alphakanäle werden ausgelassen.</translation>
    </message>
    <message>
        <source>How many steps to train, instead of minutes: the same steps and seed give the same weights on the same machine. Leave empty to go by the clock.</source>
        <translation>Wie viele Schritte trainiert wird, anstelle von Minuten: gleiche Schritte und gleicher Startwert geben auf demselben Rechner dieselben Gewichte. Leer: nach der Uhr.</translation>
    </message>
    <message>
        <source>Several rasters, one per band…</source>
        <translation>Mehrere Raster, eines je Kanal…</translation>
    </message>
    <message>
        <source>Make the colour bands of a satellite image as sharp as its panchromatic band.</source>
        <translation>Macht die Farbkanäle eines Satellitenbildes so scharf wie seinen panchromatischen Kanal.</translation>
    </message>
    <message>
        <source>Let the sharpening learn from your own scene, in minutes, for smaller errors on its sensor.</source>
        <translation>Lässt das Schärfen an der eigenen Szene lernen, in Minuten, für kleinere Fehler bei ihrem Sensor.</translation>
    </message>
    <message>
        <source>Install what OTFM Pansharpen computes with, once; check, repair or remove it.</source>
        <translation>Installiert einmalig, womit OTFM Pansharpen rechnet; prüft, repariert oder entfernt es.</translation>
    </message>
    <message>
        <source>Compress the output</source>
        <translation>Ausgabe komprimieren</translation>
    </message>
    <message>
        <source>Form of the output</source>
        <translation>Form der Ausgabe</translation>
    </message>
    <message>
        <source>For analysis: the values and the bands of MS. For printing: 8 bits in the colours of the layer of MS, natural ones where QGIS drew blue as red. Cloud-optimised: for analysis, with overviews inside, to be read over a network; the name then ends with .cog.tif.</source>
        <translation>Für die Auswertung: Werte und Kanäle von MS. Zum Drucken: 8 Bit in den Farben des Layers von MS, in natürlichen, wo QGIS Blau als Rot gezeichnet hat. Cloud-optimiert: für die Auswertung, mit Übersichten, zum Lesen über ein Netz; der Name endet dann auf .cog.tif.</translation>
    </message>
    <message>
        <source>Whether a GeoTIFF is compressed (DEFLATE), which loses nothing.</source>
        <translation>Ob ein GeoTIFF komprimiert wird (DEFLATE), wobei nichts verloren geht.</translation>
    </message>
    <message>
        <source>For analysis (values as MS)</source>
        <translation>Für die Auswertung (Werte wie MS)</translation>
    </message>
    <message>
        <source>For printing (8 bits, drawn as MS)</source>
        <translation>Zum Drucken (8 Bit, Farben wie MS)</translation>
    </message>
    <message>
        <source>Cloud-optimised GeoTIFF</source>
        <translation>Cloud-optimiertes GeoTIFF</translation>
    </message>
    <message>
        <source>Sharpened: {ms} ({quality})</source>
        <translation>Geschärft: {ms} ({quality})</translation>
    </message>
    <message>
        <source>Preview: {ms} ({quality})</source>
        <translation>Vorschau: {ms} ({quality})</translation>
    </message>
    <message>
        <source>Not sharpened: {ms}</source>
        <translation>Nicht geschärft: {ms}</translation>
    </message>
    <message>
        <source>{width} x {height} x {bands}: {size} of {free} free, {memory:.1f} GB of memory</source>
        <translation>{width} x {height} x {bands}: {size} von {free} frei, {memory:.1f} GB Arbeitsspeicher</translation>
    </message>
    <message>
        <source>, about {time}</source>
        <translation>, etwa {time}</translation>
    </message>
    <message>
        <source>{name} cannot be printed as it is drawn. Draw it as Multiband color with three of its bands in the layer&apos;s properties (Symbology), or choose another form of the output.</source>
        <translation>{name} kann nicht so gedruckt werden, wie es gezeichnet ist. Zeichnen Sie es in den Eigenschaften des Layers (Symbolisierung) als Mehrkanalfarbe mit dreien seiner Kanäle, oder wählen Sie eine andere Form der Ausgabe.</translation>
    </message>
    <message>
        <source>The engine is not set up yet.</source>
        <translation>Die Recheneinheit ist noch nicht eingerichtet.</translation>
    </message>
    <message>
        <source>Set up the engine…</source>
        <translation>Recheneinheit einrichten…</translation>
    </message>
    <message>
        <source>Does not fit: {forecast}</source>
        <translation>Passt nicht: {forecast}</translation>
    </message>
    <message>
        <source>Sharpen all pairs of this project…</source>
        <translation>Alle Paare dieses Projekts schärfen…</translation>
    </message>
    <message>
        <source>Temporary layers</source>
        <translation>Temporäre Layer</translation>
    </message>
    <message>
        <source>Folder of results</source>
        <translation>Ordner der Ergebnisse</translation>
    </message>
    <message>
        <source>Names of results</source>
        <translation>Namen der Ergebnisse</translation>
    </message>
    <message>
        <source>Engine</source>
        <translation>Recheneinheit</translation>
    </message>
    <message>
        <source>not set up</source>
        <translation>nicht eingerichtet</translation>
    </message>
    <message>
        <source>Check</source>
        <translation>Prüfen</translation>
    </message>
    <message>
        <source>Repair</source>
        <translation>Reparieren</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>{state}. Packages: {size}. Memory of the machine: {memory}.</source>
        <translation>{state}. Pakete: {size}. Arbeitsspeicher des Rechners: {memory}.</translation>
    </message>
    <message>
        <source>torch {version}, not checked yet</source>
        <translation>torch {version}, noch nicht geprüft</translation>
    </message>
    <message>
        <source>The project has no PAN and MS of one scene in one reference system. Add both rasters first.</source>
        <translation>Das Projekt enthält kein PAN und MS einer Szene in einem Bezugssystem. Fügen Sie zuerst beide Raster hinzu.</translation>
    </message>
    <message>
        <source>Panchromatic band, or several bands as guides</source>
        <translation>Panchromatischer Kanal, oder mehrere Kanäle als Führung</translation>
    </message>
    <message>
        <source>Which bands of the sharper raster to use. Leave empty for all but alpha. Of several, each band of MS gets the combination that it follows best, as with the 10 m bands of Sentinel-2.</source>
        <translation>Welche Kanäle des schärferen Rasters verwendet werden. Leer lassen für alle außer Alpha. Aus mehreren bekommt jeder Kanal von MS die Kombination, der er am besten folgt, wie aus den 10-m-Kanälen von Sentinel-2.</translation>
    </message>
    <message>
        <source>Sharpen Landsat, Sentinel-2, WorldView, Pleiades and other products as they are delivered.</source>
        <translation>Schärft Landsat, Sentinel-2, WorldView, Pleiades und andere Produkte, wie sie geliefert werden.</translation>
    </message>
    <message>
        <source>Sharpens satellite products as they are delivered: no bands to stack, no tiles to put together.

Knows {families}, and any folder whose files&apos; names say PAN and MS, or PAN and B1, B2 and so on. Landsat of level 2 is sharpened with the panchromatic band of level 1. Products without one, such as Sentinel-2, are sharpened by their sharpest bands, which stay unchanged. Archives (.tar, .tar.gz, .zip) are read without unpacking, and STAC items over the network.

Several products in one folder run one after another, and the log ends with a table. A product that fails does not stop the others. A second run leaves out what is complete. What is not complete is refused, with what is missing.</source>
        <translation>Schärft Satellitenprodukte, wie sie geliefert werden: keine Kanäle zu stapeln, keine Kacheln zusammenzusetzen.

Kennt {families} sowie jeden Ordner, dessen Dateinamen PAN und MS sagen, oder PAN und B1, B2 und so fort. Landsat von Level 2 wird mit dem panchromatischen Kanal von Level 1 geschärft. Produkte ohne einen solchen, etwa Sentinel-2, werden mit ihren schärfsten Kanälen geschärft, die unverändert bleiben. Archive (.tar, .tar.gz, .zip) werden gelesen, ohne sie zu entpacken, und STAC-Items über das Netz.

Mehrere Produkte eines Ordners laufen nacheinander, und am Ende des Protokolls steht eine Tabelle. Ein Produkt, das scheitert, hält die anderen nicht auf. Ein zweiter Lauf lässt aus, was fertig ist. Was nicht vollständig ist, wird abgelehnt, mit dem, was fehlt.</translation>
    </message>
    <message>
        <source>The folder of one or more products (paste its path), an archive (.tar, .tar.gz, .zip), or a metadata file (MTL, IMD, DIM_*.XML) or image of a single product. A STAC item, as a file or an https address, may be read over the network; the log names the host.</source>
        <translation>Der Ordner mit einem oder mehreren Produkten (Pfad einfügen), ein Archiv (.tar, .tar.gz, .zip), oder eine Metadatendatei (MTL, IMD, DIM_*.XML) oder ein Bild eines Produkts, das dann das einzige ist. Ein STAC-Item, als Datei oder https-Adresse, wird nötigenfalls über das Netz gelesen; das Protokoll nennt den Server.</translation>
    </message>
    <message>
        <source>Folder, archive, metadata file or STAC item</source>
        <translation>Ordner, Archiv, Metadaten, STAC-Item</translation>
    </message>
    <message>
        <source>Move the bands to their places on PAN</source>
        <translation>Die Kanäle an ihren Ort auf PAN bringen</translation>
    </message>
    <message>
        <source>auto measures on the pixels how far each band of MS is from PAN, and how that varies across the scene, and corrects both. scene corrects one shift for all. With off, the georeference is trusted, even where PAN and MS do not seem to show the same scene.</source>
        <translation>auto misst an den Pixeln, wie weit jeder Kanal von MS neben PAN liegt und wie sich das über die Szene ändert, und korrigiert beides. scene korrigiert einen Versatz für alle. Mit off wird der Georeferenz vertraut, auch wo PAN und MS nicht dieselbe Szene zu zeigen scheinen.</translation>
    </message>
    <message>
        <source>Further shift of each band, across and down, in PAN pixels</source>
        <translation>Weiterer Versatz jedes Kanals, quer und nach unten, in PAN-Pixeln</translation>
    </message>
    <message>
        <source>Variation of the shift across the scene, in PAN pixels</source>
        <translation>Änderung des Versatzes über die Szene, in PAN-Pixeln</translation>
    </message>
    <message>
        <source>Mean shift of the bands that is left, in PAN pixels</source>
        <translation>Mittlerer Versatz der Kanäle, der bleibt, in PAN-Pixeln</translation>
    </message>
    <message>
        <source>auto takes the CUDA build where an NVIDIA driver is found on Linux, else the CPU build, which is far smaller and on Linux comes from torch&apos;s own index. On Windows a CUDA build has to be given as a folder of wheels.</source>
        <translation>auto nimmt die CUDA-Ausgabe, wo unter Linux ein NVIDIA-Treiber gefunden wird, sonst die viel kleinere CPU-Ausgabe, die unter Linux aus dem eigenen Index von torch kommt. Unter Windows ist eine CUDA-Ausgabe als Ordner von Wheels anzugeben.</translation>
    </message>
    <message>
        <source>A package index instead of the one that pip uses, for example a mirror of your organisation.</source>
        <translation>Ein Paketindex anstelle dessen, den pip verwendet, etwa ein Spiegel Ihrer Organisation.</translation>
    </message>
    <message>
        <source>Height of the ground (m), for rasters placed by RPC alone</source>
        <translation>Höhe des Geländes (m), für Raster, die nur RPC verorten</translation>
    </message>
    <message>
        <source>Only for PAN and MS without a georeference that have rational polynomial coefficients (RPC): the mean height of the ground above the ellipsoid, at which these place MS on PAN. Leave empty for that of PAN&apos;s RPC.</source>
        <translation>Nur für PAN und MS ohne Georeferenz, die rationale Polynomkoeffizienten (RPC) haben: die mittlere Höhe des Geländes über dem Ellipsoid, auf der diese MS auf PAN legen. Leer: die Höhe der RPC von PAN.</translation>
    </message>
    <message>
        <source>{count} features of MASK {mask} are not polygons that can be repaired and brought to PAN&apos;s reference system, so they are not left out. Check its system (Layer, Set CRS), and look at them with native:checkvalidity.</source>
        <translation>{count} Objekte von MASK {mask} sind keine Polygone, die sich reparieren und in das Bezugssystem von PAN umrechnen lassen, und werden daher nicht ausgelassen. Prüfen Sie das System des Layers (Layer, KBS setzen), und sehen Sie sie sich mit native:checkvalidity an.</translation>
    </message>
    <message>
        <source>The extent {extent} cannot be read. Give xmin,xmax,ymin,ymax and, where it is another one, a known reference system, such as [EPSG:4326]; or leave it empty.</source>
        <translation>Die Ausdehnung {extent} ist nicht lesbar. Geben Sie xmin,xmax,ymin,ymax an und, wenn es ein anderes ist, ein bekanntes Bezugssystem wie [EPSG:4326]; oder lassen Sie sie leer.</translation>
    </message>
    <message>
        <source>Assessment of {name}</source>
        <translation>Bewertung von {name}</translation>
    </message>
    <message>
        <source>Sharpened: {ms}</source>
        <translation>Geschärft: {ms}</translation>
    </message>
    <message>
        <source>All</source>
        <translation>Alle</translation>
    </message>
    <message>
        <source>Colour and near infrared</source>
        <translation>Farbe und nahes Infrarot</translation>
    </message>
    <message>
        <source>Natural colour</source>
        <translation>Natürliche Farben</translation>
    </message>
    <message>
        <source>Install</source>
        <translation>Installieren</translation>
    </message>
    <message>
        <source>Check (writes a report)</source>
        <translation>Prüfen (schreibt einen Bericht)</translation>
    </message>
    <message>
        <source>Repair (installs again)</source>
        <translation>Reparieren (installiert neu)</translation>
    </message>
    <message>
        <source>The one for this machine</source>
        <translation>Die für diesen Rechner</translation>
    </message>
    <message>
        <source>For the processor (CPU)</source>
        <translation>Für den Prozessor (CPU)</translation>
    </message>
    <message>
        <source>For NVIDIA GPUs (CUDA)</source>
        <translation>Für NVIDIA-GPUs (CUDA)</translation>
    </message>
</context>
</TS>
