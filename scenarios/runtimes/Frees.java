import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.ArrayList;

/** As it is told on stdin: fill MIB SIZE, direct MIB SIZE, free, gc. Each is answered with done. */
public class Frees {
    static ArrayList<Object> objects = new ArrayList<>();

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null;) {
            String[] words = line.trim().split(" ");
            switch (words[0]) {
                case "fill":
                case "direct":
                    int size = Integer.parseInt(words[2]);
                    long count = (Long.parseLong(words[1]) << 20) / size;
                    for (long i = 0; i < count; i++) {
                        if (words[0].equals("fill")) {
                            byte[] object = new byte[size];
                            object[0] = 1;
                            objects.add(object);
                        } else {
                            ByteBuffer buffer = ByteBuffer.allocateDirect(size);
                            for (int j = 0; j < size; j += 512) buffer.put(j, (byte) 1);
                            objects.add(buffer);
                        }
                    }
                    break;
                case "free":
                    objects = new ArrayList<>();
                    break;
                case "gc":
                    System.gc();
                    break;
                default:
            }
            System.out.println("done");
        }
    }
}
